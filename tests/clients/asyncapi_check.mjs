// The AsyncAPI project's own parser on a document: prints its diagnostics and the channels' addresses, a JSON line each.
import { readFileSync } from 'node:fs'
import { Parser } from '@asyncapi/parser'
import { AvroSchemaParser } from '@asyncapi/avro-schema-parser'

const parser = new Parser()
parser.registerSchemaParser(AvroSchemaParser())
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], 'utf8'))
for (const { severity, code, path, message } of diagnostics) console.log(JSON.stringify({ severity, code, path, message }))
for (const channel of document?.channels().all() ?? []) console.log(JSON.stringify({ address: channel.address() }))
process.exitCode = document ? 0 : 1
