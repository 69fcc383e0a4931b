"""A real S3 server that breaks the one promise that chains rely on: of creates of one name, one wins.

dishonest_s3.py PORT LIE. `looks-before-it-writes` asks whether the object is there and then writes it, two steps
that others come between: asked one at a time, it is right. `ignores-conditions` writes whatever the condition
says. `none` is right, so that a test can see that the lie makes the difference.
"""

import sys
import threading
import time

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import EnvironBuilder, run_wsgi_app

PORT, LIE = int(sys.argv[1]), sys.argv[2]
INNER = DomainDispatcherApplication(create_backend_app)
LOCK = threading.Lock()
CONDITION = "HTTP_IF_NONE_MATCH"
# Between the look and the write, so that those who ask at the same time are sure to look before anybody writes.
GAP_SECONDS = 0.05


def serve(environ, start):
    if environ["REQUEST_METHOD"] == "PUT" and CONDITION in environ and LIE != "none":
        if LIE == "looks-before-it-writes" and exists(environ):
            start("412 Precondition Failed", [("Content-Length", "0")])
            return []
        del environ[CONDITION]
        time.sleep(GAP_SECONDS)
    with LOCK:
        return list(INNER(environ, start))


def exists(environ):
    headers = {name: environ[name] for name in ("HTTP_HOST", "HTTP_AUTHORIZATION") if name in environ}
    head = EnvironBuilder(method="HEAD", path=environ["PATH_INFO"]).get_environ()
    head.update(headers)
    with LOCK:
        _, status, _ = run_wsgi_app(INNER, head)
    return status.startswith("200")


run_simple("127.0.0.1", PORT, serve, threaded=True)
