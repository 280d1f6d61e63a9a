-- An overview for operators: the number of dead letters of each kind, the first and last time, and one example.
CREATE OR REPLACE VIEW dead_letter_kinds AS
SELECT
    reason,
    component,
    component_version,
    topic,
    count() AS letters,
    uniqExact(partition, offset) AS records,
    min(recorded_at) AS oldest_record,
    max(loaded_at) AS newest_letter,
    argMax(error, tuple(loaded_at, partition, offset)) AS newest_error,
    argMax(concat(topic, '/', toString(partition), '/', toString(offset)), tuple(loaded_at, partition, offset))
        AS newest_place
FROM dead_letters FINAL
GROUP BY reason, component, component_version, topic
COMMENT 'Dead letters by reason, component and its version, and topic; newest_place is what `touchline dead-letters show` takes';
