#!/usr/bin/env python3
"""Takes TLS on a free port of loopback and passes what is in it on, in the clear.

    tls_proxy.py CERTIFICATE KEY TARGET_PORT

Prints its port, and then for each connection what was negotiated.
"""

import socket
import ssl
import sys
import threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for side in (source, sink):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, context, port):
    try:
        secure = context.wrap_socket(raw, server_side=True)
    except (OSError, ssl.SSLError) as error:
        print("refused", error, flush=True)
        return
    print("took", secure.version(), secure.cipher()[0], flush=True)
    onward = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(onward, secure), daemon=True).start()
    pump(secure, onward)


def main():
    certificate, key, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, context, port), daemon=True).start()


main()
