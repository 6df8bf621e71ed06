"""A web server of one file that gives a byte now and then: `python drip_server.py FILE SECONDS`; it prints its port."""

import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA, PAUSE_S = Path(sys.argv[1]).read_bytes(), float(sys.argv[2])


class Drip(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def do_GET(self):
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(DATA) - 1), len(DATA) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(DATA)}")
        self.send_header("Content-Length", str(end - start + 1))
        self.end_headers()
        with suppress(OSError):
            for byte in DATA[start : end + 1]:
                self.wfile.write(bytes([byte]))
                time.sleep(PAUSE_S)

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    print(server.server_port, flush=True)
    server.serve_forever()
