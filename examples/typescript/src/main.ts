// Publishes an event over AMQP and receives it as a webhook, verified.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import amqp from "amqplib";
import protobuf from "protobufjs";
import { Webhook } from "standardwebhooks";

const AMQP_URL = process.env.POSTHORN_AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/%2f";
const EXCHANGE = `${process.env.POSTHORN_PREFIX ?? "posthorn"}.events`;
const API = process.env.POSTHORN_API ?? "http://127.0.0.1:8080";
const TOKEN = process.env.POSTHORN_API_TOKEN; // with the scope write
const PORT = Number(process.env.PORT ?? 9000);
const PROTO = "../../proto/posthorn/v1/event.proto"; // a service has a copy of its own

interface Delivered {
  id: string;
  type: string;
  timestamp: string;
  company_id: string;
  project_id: string;
  data: Record<string, unknown>;
}

interface ToPublish {
  id: string;
  type: string;
  companyId: string;
  projectId: string;
  data: Record<string, unknown>;
}

/** Resolves once RabbitMQ has the event safely; after a failure, publish it again with the same id. */
async function publish({ data, ...event }: ToPublish): Promise<void> {
  const Event = (await protobuf.load(PROTO)).lookupType("posthorn.v1.Event");
  const now = Date.now();
  const occurredAt = { seconds: Math.floor(now / 1000), nanos: (now % 1000) * 1_000_000 };
  const json = Buffer.from(JSON.stringify(data));
  const body = Event.encode(Event.create({ ...event, occurredAt, json })).finish();

  const connection = await amqp.connect(AMQP_URL);
  const channel = await connection.createConfirmChannel();
  channel.publish(EXCHANGE, event.type, Buffer.from(body), {
    contentType: "application/x-protobuf",
    type: "posthorn.v1.Event",
    messageId: event.id,
    persistent: true,
    mandatory: true,
  });
  await channel.waitForConfirms();
  await connection.close();
}

/** Asks the management API. */
async function call(method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(API + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

let webhook: Webhook | undefined; // known once the webhook is made
const seen = new Set<string>(); // in real life: a table with a unique key on webhook-id

const receiver = createServer(async (request, response) => {
  const body = await read(request);
  if (webhook === undefined) return response.writeHead(503).end();
  let event: Delivered;
  try {
    event = webhook.verify(body, request.headers as Record<string, string>) as Delivered;
  } catch {
    return response.writeHead(401).end();
  }
  response.writeHead(204).end();
  const webhookId = request.headers["webhook-id"] as string;
  if (!seen.has(webhookId)) {
    seen.add(webhookId);
    receiver.emit("event", event);
  }
});
receiver.listen(PORT, "127.0.0.1");
await once(receiver, "listening");

const { port } = receiver.address() as AddressInfo;
const made = await call("POST", "/v1/webhooks", {
  name: "typescript",
  url: `http://127.0.0.1:${port}/`,
  rules: [{ event_types: ["todo.*"], companies: ["cmp_hartmann"] }],
});
webhook = new Webhook(made.secret); // keep the secret: it is not shown again
console.log("registered", made.id);
await sleep(2000); // by then every router knows of the webhook

const id = randomUUID();
const arrives = once(receiver, "event", { signal: AbortSignal.timeout(30_000) });
await publish({
  id,
  type: "todo.created",
  companyId: "cmp_hartmann",
  projectId: "prj_office_move",
  data: { title: "Order the desks" },
});
console.log("published", id);

const [received] = (await arrives) as [Delivered];
console.log("received", received.type, received.id, received.data);
await call("DELETE", `/v1/webhooks/${made.id}`);
receiver.close();
receiver.closeAllConnections();
