// kafkajs and avsc, by docs/sdk.md and the .avsc alone; commands as in avro_python.py.
import { readFileSync } from 'node:fs'
import kafkajs from 'kafkajs'
import avro from 'avsc'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'

const { BROKERS, TOPIC_PREFIX, SOURCE, SCHEMAS, REGISTRY, FINGERPRINTS } = process.env
const topic = `${TOPIC_PREFIX}touchpoints`
const kafka = new kafkajs.Kafka({ brokers: BROKERS.split(','), logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 100, maxRetryTime: 1000 } })
const fingerprints = JSON.parse(FINGERPRINTS) // record → fingerprint, as `touchline schemas list --json` prints them

function types (...names) {
  const registry = {}
  let type
  for (const name of names) {
    const schema = JSON.parse(readFileSync(`${SCHEMAS}/avro/${name}.avsc`, 'utf8'))
    type = avro.Type.forSchema(schema, { registry, wrapUnions: false })
  }
  return type
}

function header (name) {
  return Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.from(fingerprints[name], 'hex')])
}

async function serialiser (framing) {
  if (framing === 'single') {
    const type = types('Identifier', 'Touchpoint')
    return record => Buffer.concat([header('Touchpoint'), type.toBuffer(record)])
  }
  const registry = new SchemaRegistry({ host: REGISTRY })
  const id = await registry.getLatestSchemaId(`${topic}-value`)
  return record => registry.encode(id, record)
}

function touchpoint (eventId, kind, identifiers, fields = {}) {
  const now = Date.now()
  return {
    tenant: 'default', event_id: eventId, occurred_at: now, received_at: now, source: SOURCE, channel: 'web', type: kind,
    identifiers: identifiers.map(([type, value]) => ({ type, value })), account_id: null, session_id: null, issue_id: null,
    order_id: null, campaign: null, amount_minor: null, currency: null, sentiment: null, score: null,
    consent: {}, experiments: {}, link: 'OBSERVED', attributes: {}, ...fields
  }
}

function * story () {
  const cookie = ['cookie', `anon-${SOURCE}`]
  const customer = ['customer_id', `user-${SOURCE}`]
  yield touchpoint('1', 'product_view', [cookie])
  yield touchpoint('2', 'login', [customer, cookie])
  yield touchpoint('3', 'order_placed', [customer], { order_id: 'o1', amount_minor: 1999, currency: 'EUR' })
}

function * many (count) {
  for (let number = 0; number < count; number++) yield touchpoint(`many-${number}`, 'page_view', [['cookie', `many-${SOURCE}`]])
}

async function publish (records, framing, pause) {
  const serialise = await serialiser(framing)
  const producer = kafka.producer({ idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  for (const record of records) {
    const { type, value } = record.identifiers[0]
    await producer.send({ topic, acks: -1, messages: [{ key: `${record.tenant}/${type}:${value}`, value: await serialise(record) }] })
    await new Promise(resolve => setTimeout(resolve, pause))
  }
  await producer.disconnect()
}

async function read () {
  const type = types('Identifier', 'Touchpoint', 'JourneyState')
  const first = header('JourneyState')
  const states = `${TOPIC_PREFIX}journey-states`
  const admin = kafka.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(states)
  await admin.disconnect()
  const left = new Map(ends.filter(end => Number(end.high) > 0).map(end => [end.partition, Number(end.high)]))
  const newest = new Map()
  const consumer = kafka.consumer({ groupId: SOURCE })
  await consumer.connect()
  await consumer.subscribe({ topic: states, fromBeginning: true })
  await new Promise((resolve, reject) => {
    if (left.size === 0) resolve()
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const key = message.key.toString()
        if (message.value === null) newest.delete(key)
        else if (message.value.subarray(0, 10).equals(first)) {
          const state = type.fromBuffer(message.value.subarray(10))
          if (!newest.has(key) || state.version >= newest.get(key).version) newest.set(key, state)
        }
        if (Number(message.offset) + 1 >= left.get(partition)) left.delete(partition)
        if (left.size === 0) resolve()
      }
    }).catch(reject)
  })
  for (const { profile_id, version, touchpoints, orders, revenue } of newest.values()) {
    console.log(JSON.stringify({ profile_id, version, touchpoints, orders, revenue }))
  }
  await consumer.disconnect()
}

const [command, framing, count] = process.argv.slice(2)
if (command === 'story') await publish(story(), framing, 0)
if (command === 'many') await publish(many(Number(count)), framing, 5)
if (command === 'read') await read()
