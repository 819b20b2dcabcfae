"""A web server on this machine that can fail in the ways in which servers and connections fail."""

import contextlib
import http.server
import re
import socket
import time

from local_server import LocalServer


class FileServer(LocalServer):
    """Serves files from memory.

    Args:
        files: the content of the files in bytes, by paths that begin with a slash.
        ranges: whether it can send parts of a file.
        versions: whether it sends an ETag; "weak" for a weak one, which does not promise equal bytes.
        lengths: whether it sends the length of a file.
    """

    def __init__(self, files, ranges=True, versions=True, lengths=True):
        self.files, self.ranges, self.versions, self.lengths = files, ranges, versions, lengths
        self.requests = []  # (path, Range header)
        self.breaks = []  # for each of the next answers, the number of bytes after which it breaks off, or None
        self.answers = []  # for each of the next answers, its status, or None for the usual one
        self.pause = 0.0  # seconds to wait before each kilobyte
        super().__init__(self._handler())

    def version(self, path):
        return f'"{hash(self.files[path])}"' if self.versions != "weak" else 'W/"1"'

    def _handler(server):  # noqa: N805 (in the inner class, `self` is the handler)
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                asked = self.headers.get("Range")
                server.requests.append((self.path, asked))
                status = server.answers.pop(0) if server.answers else None
                if status or self.path not in server.files:
                    self.send_error(status or 404)
                    return
                content = server.files[self.path]
                start = self.start_of(asked, content)
                if start is None:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                if server.versions:
                    self.send_header("ETag", server.version(self.path))
                if server.lengths:
                    self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.send(content[start:], server.breaks.pop(0) if server.breaks else None)

            def start_of(self, asked, content):
                known = self.headers.get("If-Range")
                changed = known is not None and (known != server.version(self.path) or known.startswith("W/"))
                if not asked or not server.ranges or changed:
                    return 0
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                return start if start < len(content) else None

            def send(self, content, limit):
                with contextlib.suppress(ConnectionError):
                    for begin in range(0, len(content[:limit]), 1024):
                        time.sleep(server.pause)
                        self.wfile.write(content[begin : min(begin + 1024, limit or len(content))])
                    if limit is not None:
                        self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        return Handler
