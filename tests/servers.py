"""A web server on 127.0.0.1 that behaves as well, or as badly, as a test wants."""

import contextlib
import http.server
import re
import threading


@contextlib.contextmanager
def serving(files, ranges=True, stop_after=None):
    """Serve bytes by path, e.g. {"/a/b.tar.gz": b"..."}.

    Args:
        ranges: whether Range requests are honoured.
        stop_after: how many bytes of each answer are sent before the connection is cut.

    Yields:
        (address of the server, list of the requests so far as (path, Range header or None, bytes sent))
    """
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802 (the base class's name)
            content, asked = files.get(self.path), self.headers.get("Range")
            if content is None:
                self.send_error(404)
                requests.append((self.path, asked, 0))
                return
            start = int(re.match(r"bytes=(\d+)-", asked)[1]) if asked and ranges else 0
            if start >= len(content) > 0:
                self.send_error(416)
                requests.append((self.path, asked, 0))
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            part = content[start:][:stop_after]
            self.wfile.write(part)
            requests.append((self.path, asked, len(part)))

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()
