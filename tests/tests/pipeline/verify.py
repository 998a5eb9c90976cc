"""Verifies requests with the `standardwebhooks` package: one JSON object per line of stdin."""

import json
import sys

from standardwebhooks import Webhook

count = 0
for line in sys.stdin:
    request = json.loads(line)
    Webhook(request["secret"]).verify(request["body"], request["headers"])
    count += 1
print(count)
