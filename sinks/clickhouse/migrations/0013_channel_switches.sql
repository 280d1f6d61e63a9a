-- Channel switches by the definition of streams/journeys/state/channels.py, as the journey state counts them.

-- Only inbound touchpoints count. Touchpoints of one time are ordered by channel: the channel in use first, then the other
-- channels by name (streams/journeys/state/instants.py). A time whose only channel is that of the time before contains no
-- switch and is left out before the fold. Unlike the state, the view also counts late touchpoints.
CREATE OR REPLACE VIEW profile_channel_switches AS
WITH
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound') AS not_inbound,
    (
        SELECT mapFromArrays(groupArray(name), groupArray(alias_of))
        FROM catalogue_channels FINAL WHERE is_deleted = 0 AND alias_of != ''
    ) AS aliases
SELECT
    tenant, profile_id, switch.1 AS from_channel, switch.2 AS to_channel, count() AS switches
FROM (
    SELECT
        tenant,
        profile_id,
        arrayJoin(arrayFold(
            (found, used) -> (
                arrayConcat(arrayFilter(c -> c = found.1, used), arrayFilter(c -> c != found.1, used))[-1],
                arrayConcat(found.2, arrayZip(
                    arrayPopBack(arrayConcat([found.1], arrayFilter(c -> c != found.1, used))),
                    arrayFilter(c -> c != found.1, used)
                ))
            ),
            arrayMap(instant -> instant.2, arraySort(groupArray((ms, channels)))),
            ('', CAST([], 'Array(Tuple(String, String))'))
        ).2) AS switch
    FROM (
        SELECT
            tenant, profile_id, ms, channels,
            lagInFrame(channels) OVER (
                PARTITION BY tenant, profile_id ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS before
        FROM (
            SELECT
                tenant, profile_id, toUnixTimestamp64Milli(occurred_at) AS ms,
                arraySort(groupUniqArray(if(
                    mapContains(aliases, toString(channel)), aliases[toString(channel)], toString(channel)
                ))) AS channels
            FROM touchpoints_current
            WHERE NOT has(not_inbound, type)
            GROUP BY tenant, profile_id, ms
        )
    )
    WHERE length(channels) > 1 OR channels != before
    GROUP BY tenant, profile_id
)
WHERE from_channel != ''
GROUP BY tenant, profile_id, from_channel, to_channel
COMMENT 'From which channel a person went to which, and how often, as the journey state counts switches';

CREATE OR REPLACE VIEW channel_switches AS
SELECT tenant, from_channel, to_channel, sum(p.switches) AS switches, count() AS profiles
FROM profile_channel_switches AS p
GROUP BY tenant, from_channel, to_channel
COMMENT 'From which channel people went to which, and how often, as the journey state counts switches';
