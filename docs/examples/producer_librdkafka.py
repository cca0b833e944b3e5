# The same intents by librdkafka. Needs: pip install 'confluent-kafka[avro,schemaregistry]'
import hashlib
import os
from datetime import datetime, timezone

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

topic = os.environ.get("MILLRACE_TOPIC_PREFIX", "") + "payments.public.intents.v1"
day = os.environ.get("DAY") or datetime.now(timezone.utc).date().isoformat()
time = datetime.fromisoformat(day + "T00:00:00+00:00")
holder, account, bank = "cust_34", "liability:customer:cust_34:available", "asset:bank:main"


def intent(kind, type, names, **fields):
    framed = b"".join(len(name).to_bytes(4, "big") + name for name in map(str.encode, [type, holder, *names]))
    bits = int(time.timestamp()) * 1000 << 80 | int(hashlib.sha256(framed).hexdigest()[:20], 16)
    ulid = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[bits >> at & 31] for at in range(125, -1, -5))
    common = {"type": type, "holderId": holder, "caseId": f"{kind}_{ulid}", "sourceId": names[-1], "occurredAt": time}
    return {**common, **fields}


def transfer(source_id, source, target, minor):
    amount = {"currency": "EUR", "scale": 2, "minor": minor}
    return intent("trf", "transfer_create", [source_id], **{"from": source, "to": target, "amount": amount})


intents = [
    intent("acc", "account_open", [account, "open"], account=account, currency="EUR"),
    transfer("order-1", bank, account, "5000"),
    transfer("order-2", account, "revenue:processing_fee", "125"),
    transfer("order-3", account, bank, "999999"),
]
registry = SchemaRegistryClient({"url": os.environ.get("SCHEMA_REGISTRY_URL", "http://localhost:8081")})
encode = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
producer = Producer({
    "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"),
    "partitioner": "murmur2_random",  # with librdkafka's default most intents end in quarantine: wrong_lane
    "enable.idempotence": True,
})
failed = []
for one in intents:
    value = encode(one, SerializationContext(topic, MessageField.VALUE))
    producer.produce(topic, value, one["holderId"], on_delivery=lambda error, _: error and failed.append(error))
    print(one["sourceId"], one["caseId"])
producer.flush()
if failed:
    raise SystemExit(f"not delivered, send again: {failed}")
