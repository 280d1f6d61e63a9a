// @segment/analytics-node with the host changed. Arguments: story, or many COUNT.
import { setTimeout } from 'node:timers/promises'
import { Analytics } from '@segment/analytics-node'

const NAME = 'segment-node'
const client = new Analytics({
  writeKey: process.env.WRITE_KEY, host: process.env.COLLECTOR, maxRetries: 30, flushAt: 20, flushInterval: 200,
})
client.on('error', (error) => { console.error(error); process.exitCode = 1 })
const anonymousId = `anon-${NAME}`
const userId = `user-${NAME}`

if (process.argv[2] === 'story') {
  client.track({ anonymousId, event: 'Product Viewed', properties: { sku: 'A1' } })
  client.identify({ userId, anonymousId, traits: { email: `${NAME}@example.com` } })
  client.track({
    userId, event: 'Order Completed', properties: { order_id: 'o-1', revenue: 19.99, currency: 'EUR' },
    context: { campaign: { name: 'spring' } },
  })
  client.group({ userId, groupId: 'acme', traits: { name: 'Acme' } })
  client.page({ userId, category: 'Shop', name: 'Home', properties: { url: 'https://shop.example/?token=secret' } })
} else {
  for (let number = 0; number < Number(process.argv[3]); number++) {
    client.track({ userId, event: `Ride ${number}`, properties: { number } })
    await setTimeout(10)
  }
}
await client.closeAndFlush({ timeout: 90_000 })
