// posthog-node with the host changed. Arguments: story, or many COUNT.
import { setTimeout } from 'node:timers/promises'
import { PostHog } from 'posthog-node'

const NAME = 'posthog-node'
const client = new PostHog(process.env.WRITE_KEY, {
  host: process.env.COLLECTOR, flushAt: 20, flushInterval: 200, fetchRetryCount: 30, fetchRetryDelay: 500,
})
const anonymous = `anon-${NAME}`
const user = `user-${NAME}`

if (process.argv[2] === 'story') {
  const visitor = { sku: 'A1', $process_person_profile: false }
  client.capture({ distinctId: anonymous, event: 'Product Viewed', properties: visitor })
  client.identify({ distinctId: user, properties: { email: `${NAME}@example.com` } })
  client.capture({
    distinctId: user, event: 'Order Completed', groups: { company: 'acme' },
    properties: { order_id: 'o-1', revenue: 19.99, currency: 'EUR', utm_campaign: 'spring' },
  })
  const page = { $current_url: 'https://shop.example/?token=secret', $pathname: '/' }
  client.capture({ distinctId: user, event: '$pageview', properties: page })
  client.alias({ distinctId: user, alias: anonymous })
} else {
  for (let number = 0; number < Number(process.argv[3]); number++) {
    client.capture({ distinctId: user, event: `Ride ${number}`, properties: { number } })
    await setTimeout(10)
  }
}
await client.shutdown(90_000)
