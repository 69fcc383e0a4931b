"""Log servers: started on an empty folder, loaded and asked over HTTP."""
import http.client
import json
import queue
import subprocess
import threading
import time
import urllib.parse
from datetime import datetime, timezone


class Connection:
    """One connection that is kept open."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)

    def request(self, method, path, params=(), body=None):
        """Sends until the server takes it: a full queue asks for a pause."""
        url = f"{path}?{urllib.parse.urlencode(params)}" if params else path
        while True:
            self.connection.request(method, url, body=body)
            reply = self.connection.getresponse()
            answer = reply.read()
            if reply.status in (200, 204):
                return answer
            if method != "POST" or reply.status not in (429, 503):
                raise SystemExit(f"error: {url[:300]} answered {reply.status}: {answer[:300].decode(errors='replace')}")
            time.sleep(float(reply.headers.get("Retry-After", 1)))


class Server:
    """A server as a child process. The classes below say how it is started and asked."""

    name = "server"
    ready_path = "/"

    def __init__(self, binary, folder, port, plan):
        self.binary, self.folder, self.port, self.plan = binary, folder, port, plan
        self.process = None

    def start(self):
        """Returns the seconds until it answers."""
        begin = time.monotonic()
        with open(f"{self.folder}.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        while time.monotonic() - begin < 120:
            try:
                self.connection = Connection(self.port)
                self.connection.request("GET", self.ready_path)
                return time.monotonic() - begin
            except (OSError, http.client.HTTPException, SystemExit):
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        raise SystemExit(f"error: {self.name} does not answer; see {self.folder}.log")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    @property
    def pid(self):
        return self.process.pid

    def load(self, path, connections=4, batch_bytes=4 << 20):
        """Sends a file of lines over several connections at once."""
        waiting, failures = queue.Queue(connections), []

        def send():
            connection = Connection(self.port)
            while (piece := waiting.get()) is not None:
                try:
                    if not failures:
                        self.post(connection, piece)
                except (SystemExit, OSError, http.client.HTTPException) as error:
                    failures.append(str(error))

        threads = [threading.Thread(target=send) for _ in range(connections)]
        for thread in threads:
            thread.start()
        with open(path, "rb") as file:
            while piece := file.read(batch_bytes):
                waiting.put(piece + (b"" if piece.endswith(b"\n") else file.readline()))
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            thread.join()
        if failures:
            raise SystemExit(f"error: {failures[0]}")


class Helios(Server):
    name = "HeliosLogs"
    ready_path = "/readyz"

    def command(self):
        return [self.binary, "serve", "--data-dir", self.folder, "--port", str(self.port)]

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]

    def post(self, connection, piece):
        answer = json.loads(connection.request("POST", "/api/ingest", (), piece))
        if answer["errors"]:
            raise SystemExit(f"error: lines refused: {answer['error_details'][:3]}")

    def search(self, query, **params):
        answer = json.loads(self.connection.request("GET", "/api/search", {"q": query, **params}))
        if answer.get("partial"):
            raise SystemExit(f"error: a partial answer: {answer.get('warnings')}")
        return answer

    def table(self, query, **params):
        return self.search(query, limit=0, **params)["table"]["rows"]

    def filter(self, q):
        if "regex" in q:
            return "message:/" + q["regex"].replace("/", r"\/") + "/"
        if "value" in q:
            return f"{q['field']}:{q['value']}"
        if "field" in q:
            return f"{q['field']}:*{q['text']}*"
        if q.get("whole"):
            return f'"{q["text"]}"'
        return q["text"] if q["kind"] == "rows" else f"message:*{q['text']}*"

    def count_all(self):
        return self.search("*", limit=0)["total"]

    def ask(self, q):
        kind = q["kind"]
        if kind == "rows":
            return len(self.search(self.filter(q), limit=50)["hits"])
        if kind == "count":
            return self.search(self.filter(q), limit=0)["total"]
        if kind == "by":
            return dict(self.table(f"{q['field']}:* | stats count by {q['field']}"))
        if kind == "p95":
            return dict(self.table(f"{q['field']}:>={q['from']} | stats p95({q['value']}) by {q['by']}"))
        if kind == "chart":
            span = f"* | timechart span={q['span_s']}s count"
            rows = self.table(span, start=rfc3339(q["start_ms"]), end=rfc3339(q["end_ms"]))
            return [count for _, count in rows]
        if kind == "top":
            return [[row[0], row[1]] for row in self.table(f"{q['field']}:* | top {q['n']} {q['field']}")]
        if kind == "distinct":
            return self.table(f"* | stats dc({q['field']})")[0][0]
        window = {"start": rfc3339(q["start_ms"]), "end": rfc3339(q["end_ms"])}
        answer = self.search(f"{q['field']}:{q['value']}", limit=q["n"], count="none", **window)
        return [to_ms(hit["timestamp"]) for hit in answer["hits"]]


class VictoriaLogs(Server):
    """VictoriaLogs without stream fields."""

    name = "VictoriaLogs"
    ready_path = "/health"

    def command(self):
        return [self.binary, f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}",
                "-retentionPeriod=100y", "-insert.maxLineSizeBytes=1900000"]

    def version(self):
        text = subprocess.run([self.binary, "-version"], capture_output=True, text=True, check=True).stdout
        return text.strip().split("-")[-1]

    def post(self, connection, piece):
        names = {"_time_field": ",".join(self.plan["time"]), "_msg_field": ",".join(self.plan["message"])}
        connection.request("POST", "/insert/jsonline", names, piece)

    def query(self, text):
        return [json.loads(line) for line in self.connection.request("GET", "/select/logsql/query", {"query": text}).splitlines()]

    def filter(self, q):
        if "regex" in q:
            return f'_msg:~"{q["regex"]}"'
        if "value" in q:
            return f'{q["field"]}:="{q["value"]}"'
        if "field" in q:
            return f'{q["field"]}:~"{q["text"]}"'
        return f'"{q["text"]}"' if q.get("whole") or q["kind"] == "rows" else f'_msg:~"{q["text"]}"'

    def count_all(self):
        return int(self.query("* | stats count() n")[0]["n"])

    def ask(self, q):
        kind = q["kind"]
        if kind == "rows":
            return len(self.query(f"{self.filter(q)} | limit 50"))
        if kind == "count":
            return int(self.query(f"{self.filter(q)} | stats count() n")[0]["n"])
        if kind == "by":
            rows = self.query(f"{q['field']}:* | stats by ({q['field']}) count() n")
            return {row[q["field"]]: int(row["n"]) for row in rows}
        if kind == "p95":
            rows = self.query(f"{q['field']}:>={q['from']} | stats by ({q['by']}) quantile(0.95, {q['value']}) p")
            return {row[q["by"]]: float(row["p"]) for row in rows}
        if kind == "chart":
            rows = self.query(f"* | stats by (_time:{q['span_s']}s) count() n")
            counts = {to_ms(row["_time"]): int(row["n"]) for row in rows}
            starts = range(q["start_ms"], q["start_ms"] + len(q["expect"]) * q["span_s"] * 1000, q["span_s"] * 1000)
            return [counts.get(start, 0) for start in starts]
        if kind == "top":
            rows = self.query(f"{q['field']}:* | top {q['n']} by ({q['field']}) hits as n")
            return [[row[q["field"]], int(row["n"])] for row in rows]
        if kind == "distinct":
            return int(self.query(f"{q['field']}:* | stats count_uniq({q['field']}) n")[0]["n"])
        window = f"_time:[{rfc3339(q['start_ms'])},{rfc3339(q['end_ms'])})"
        rows = self.query(f'{window} {q["field"]}:="{q["value"]}" | sort by (_time) desc limit {q["n"]}')
        return [to_ms(row["_time"]) for row in rows]


def rfc3339(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_ms(text):
    """Milliseconds of a time in UTC with any number of digits after the second."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(seconds + "+00:00").timestamp()
    return int(whole) * 1000 + int((fraction + "000")[:3])
