"""Publishes an event over AMQP and receives it as a webhook, verified."""

import json
import os
import queue
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pika
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from posthorn.v1.event_pb2 import Event

AMQP_URL = os.environ.get("POSTHORN_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
EXCHANGE = os.environ.get("POSTHORN_PREFIX", "posthorn") + ".events"
API = os.environ.get("POSTHORN_API", "http://127.0.0.1:8080")
TOKEN = os.environ["POSTHORN_API_TOKEN"]  # with the scope write
PORT = int(os.environ.get("PORT", "9000"))


def publish(event: Event) -> None:
    """Returns once RabbitMQ has the event safely; after a failure, call it again with the same event."""
    connection = pika.BlockingConnection(pika.URLParameters(AMQP_URL))
    channel = connection.channel()
    channel.confirm_delivery()  # basic_publish now waits for the confirm, or raises
    channel.basic_publish(
        exchange=EXCHANGE,
        routing_key=event.type,
        body=event.SerializeToString(),
        properties=pika.BasicProperties(
            content_type="application/x-protobuf",
            type="posthorn.v1.Event",
            message_id=event.id,
            delivery_mode=pika.DeliveryMode.Persistent,
        ),
        mandatory=True,
    )
    connection.close()


def call(method: str, path: str, body: dict | None = None) -> dict | None:
    """Asks the management API."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(API + path, content, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read()
    return json.loads(answer) if answer else None


class Receiver(ThreadingHTTPServer):
    """Verifies what comes and keeps it."""

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", port), Handler)
        self.webhook: Webhook | None = None  # known once the webhook is made
        self.seen: set[str] = set()  # in real life: a table with a unique key on webhook-id
        self.events: queue.Queue[dict] = queue.Queue()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.webhook is None:
            return self.answer(503)
        try:
            event = self.server.webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        if self.headers["webhook-id"] not in self.server.seen:
            self.server.seen.add(self.headers["webhook-id"])
            self.server.events.put(event)
        self.answer(204)

    def answer(self, status: int):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


def main() -> None:
    receiver = Receiver(PORT)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()

    url = f"http://127.0.0.1:{receiver.server_port}/"
    rules = [{"event_types": ["todo.*"], "companies": ["cmp_hartmann"]}]
    webhook = call("POST", "/v1/webhooks", {"name": "python", "url": url, "rules": rules})
    receiver.webhook = Webhook(webhook["secret"])  # keep the secret: it is not shown again
    print("registered", webhook["id"])
    time.sleep(2)  # by then every router knows of the webhook

    event = Event(
        id=str(uuid.uuid4()),
        type="todo.created",
        company_id="cmp_hartmann",
        project_id="prj_office_move",
        json=json.dumps({"title": "Order the desks"}).encode(),
    )
    event.occurred_at.GetCurrentTime()
    publish(event)
    print("published", event.id)

    received = receiver.events.get(timeout=30)
    print("received", received["type"], received["id"], received["data"])
    call("DELETE", f"/v1/webhooks/{webhook['id']}")


if __name__ == "__main__":
    main()
