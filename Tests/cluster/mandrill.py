"""A local server that plays Mandrill's API 1.0: what it answers is chosen, what it got is kept."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/api/1.0/messages/send"


class Mandrill:
    """Listens on a port of loopback; with `context`, by TLS."""

    def __init__(self, port, context=None):
        self.port = port
        self.context = context
        self.mode = "sent"
        self.posts = []
        # What came while the mode was `hold`, until it is let go.
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.server = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        scheme = "https" if self.context else "http"
        return f"{scheme}://127.0.0.1:{self.port}/api/1.0"

    def start(self):
        owner = self
        self.released.clear()

        class Handler(BaseHTTPRequestHandler):
            """One post."""

            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(OSError):
                    owner.answer(self, body)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        # Ends of connections that fail are the point of some checks.
        server.handle_error = lambda *_: None
        if self.context:
            server.socket = self.context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False)
        self.server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Refuses connections from now on."""
        if self.server:
            self.released.set()
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def answer(self, handler, body):
        message = json.loads(body)
        with self.lock:
            mode = self.mode
            self.posts.append({
                "at": time.monotonic(), "path": handler.path, "mode": mode, "body": message,
                "to": message["message"]["to"][0]["email"],
                "name": message["message"]["metadata"]["daybook_mail"]})
        recipient = message["message"]["to"][0]["email"]
        row = {"email": recipient, "status": mode, "_id": "abc123", "reject_reason": None}
        if mode == "slow":
            time.sleep(3)
            row["status"] = "sent"
        elif mode == "hold":
            self.released.wait(60)
            row["status"] = "sent"
        elif mode == "rejected":
            row["reject_reason"] = "hard-bounce"
        elif mode == "error":
            return self.reply(handler, 500, {
                "status": "error", "code": -1, "name": "Invalid_Key",
                "message": f"Invalid API key {message['key']}"})
        elif mode == "garbage":
            return self.reply(handler, 502, "<html>")
        elif mode == "closed":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"email\"")
            handler.close_connection = True
            return None
        return self.reply(handler, 200, [row])

    @staticmethod
    def reply(handler, status, value):
        body = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def taken(self, unique_id=None, to=None):
        """The posts about an event, or to somebody."""
        with self.lock:
            return [post for post in self.posts
                    if (to is None or post["to"] == to) and (
                        unique_id is None or
                        f"unique_id: {unique_id}\n" in post["body"]["message"]["text"])]
