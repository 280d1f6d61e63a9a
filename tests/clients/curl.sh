#!/bin/bash
# curl, plain JSON touchpoints. Arguments: story, or many COUNT. What fails is sent again as it was.
set -euo pipefail

send() {  # media type; the body is standard input
  curl --silent --show-error --fail --output /dev/null --retry 60 --retry-all-errors --retry-delay 1 --max-time 15 \
    --header "Authorization: Bearer $WRITE_KEY" --header "Content-Type: $1" --data-binary @- "$COLLECTOR/v1/touchpoints"
}

now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
if [ "$1" = story ]; then
  who='"cookie": "anon-curl"'
  known="$who, \"customer_id\": \"user-curl\", \"E-Mail\": \"curl@example.com\""
  common="\"occurred_at\": \"$now\", \"channel\": \"web\""
  send application/json <<< "{\"event_id\": \"1\", $common, \"type\": \"Product Viewed\", \"identifiers\": {$who}}"
  send application/json <<< "{\"event_id\": \"2\", $common, \"type\": \"login\", \"identifiers\": {$known}, \"account_id\": \"acme\"}"
  send application/json <<< "[{\"event_id\": \"3\", $common, \"type\": \"Order Completed\", \"campaign\": \"spring\",
    \"identifiers\": {$known}, \"order_id\": \"o-1\", \"amount_minor\": 1999, \"currency\": \"EUR\"}]"
else
  for ((first = 0; first < $2; first += 20)); do
    lines=""
    for ((number = first; number < first + 20 && number < $2; number++)); do
      lines+="{\"event_id\": \"ride-$number\", \"occurred_at\": \"$now\", \"channel\": \"app\", \"type\": \"ride_$number\","
      lines+=" \"identifiers\": {\"customer_id\": \"user-curl\"}}"$'\n'
    done
    send application/x-ndjson <<< "$lines"
    sleep 0.3
  done
fi
