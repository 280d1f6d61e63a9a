-- Paths. Transitions are counted first; what is rare is put together afterwards, over a few hundred rows.

CREATE OR REPLACE VIEW paths AS
WITH
    {anchor:String} AS anchor,
    {direction:String} = 'before' AS backwards,
    if(backwards, '(start)', '(end)') AS border,
    {hops:UInt64} AS hops
SELECT
    if(backwards, -1 - toInt64(place), toInt64(place)) AS depth,
    if(backwards, further, nearer) AS from_type,
    if(backwards, nearer, further) AS to_type,
    sum(times) AS reached,
    reached / max(whole) AS reached_share
FROM (
    SELECT
        place,
        if(nearer_rank <= {top:UInt64}, one, '(other)') AS nearer,
        if(other = border OR further_rank <= {top:UInt64}, other, '(other)') AS further,
        times,
        whole
    FROM (
        SELECT
            *,
            dense_rank() OVER (PARTITION BY place ORDER BY one_times DESC, one) AS nearer_rank,
            dense_rank() OVER (PARTITION BY place, other = border ORDER BY other_times DESC, other) AS further_rank,
            sumIf(times, place = 0) OVER () AS whole
        FROM (
            SELECT
                pair.1 AS place, pair.2 AS one, pair.3 AS other, count() AS times,
                sum(times) OVER (PARTITION BY place, one) AS one_times,
                sum(times) OVER (PARTITION BY place, other) AS other_times
            FROM (
                SELECT
                    arraySlice(if(length(along) <= hops, arrayPushBack(along, border), along), 1, hops + 1) AS walked,
                    arrayJoin(arrayZip(
                        range(length(walked) - 1), arrayPopBack(walked), arrayPopFront(walked)
                    )) AS pair
                FROM (
                    SELECT
                        arrayCompact(if(backwards, arrayReverse(types), types)) AS way,
                        if(anchor = '', way, arraySlice(way, indexOf(way, anchor))) AS along
                    FROM (
                        SELECT arrayFilter(
                            (type, at) -> at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
                                AND toString(type) NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound'),
                            step_type, step_at
                        ) AS types
                        FROM timelines
                        WHERE tenant = if({per:String} = 'person', {tenant:String}, '')
                            AND last_seen >= {since:DateTime64(3, 'UTC')} AND first_seen < {until:DateTime64(3, 'UTC')}
                            AND notEmpty(types)
                        UNION ALL
                        SELECT arrayJoin(arrayFilter(
                            (types, at) -> at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')},
                            session_types, session_started_at
                        )) AS types
                        FROM timelines
                        WHERE tenant = if({per:String} = 'session', {tenant:String}, '')
                            AND last_seen >= {since:DateTime64(3, 'UTC')} AND first_seen < {until:DateTime64(3, 'UTC')}
                    )
                    WHERE (anchor = '' OR has(types, anchor))
                        AND (SELECT throwIf({direction:String} NOT IN ('after', 'before'), 'direction is after or before')) = 0
                        AND (SELECT throwIf({per:String} NOT IN ('person', 'session'), 'per is person or session')) = 0
                        AND (SELECT throwIf(hops NOT BETWEEN 1 AND 20, 'hops is 1 to 20')) = 0
                )
            )
            GROUP BY place, one, other
        )
    )
)
GROUP BY depth, from_type, to_type
ORDER BY if(backwards, -depth, depth), reached DESC, from_type, to_type
COMMENT 'Which type of inbound touchpoint follows which: rows of a Sankey diagram. reached: sessions (or people) that went from from_type to to_type; depth: how many steps from_type is from the beginning, or from the first anchor; negative before it (from the last anchor). Repeats in a row count once. (end) and (start): nothing more came, or nothing was before. Types that are not among the top of their depth are (other).\ndirection: after or before the anchor, or the beginning and the end. per: session (those that began in the period), or person (their touchpoints of the period). hops: how far, 1 to 20 steps.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, anchor String = '''', direction String = after, hops UInt64 = 4, per String = session, top UInt64 = 6\nExample: SELECT * FROM paths(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), anchor = ''add_to_cart'', direction = ''after'', hops = 4, per = ''session'', top = 6)';
