-- Teams: which one answers for a touchpoint type. The catalogue names them (schemas/catalogue.toml, `owner` and `owners`).
-- `touchline migrate` and the loader fill the new columns when they store the catalogue.

ALTER TABLE catalogue_types ADD COLUMN IF NOT EXISTS
    owner LowCardinality(String) COMMENT 'The team that answers for it';

ALTER TABLE catalogue_types ADD COLUMN IF NOT EXISTS
    stage_rank Int16 DEFAULT -1 COMMENT 'Place of its stage in the lifecycle, from 0; -1 for none';

CREATE OR REPLACE VIEW touchpoint_types AS
SELECT
    name,
    if(alias_of = '', name, alias_of) AS type,
    component, stage, stage_rank, direction, friction, moment, effect, owner
FROM catalogue_types FINAL
WHERE is_deleted = 0
COMMENT 'What each touchpoint type of the catalogue in force means, and each other name of one (type is then what it stands for).\nParameters: none\nExample: SELECT owner, groupArray(name) FROM touchpoint_types WHERE friction >= 2 GROUP BY owner';

CREATE OR REPLACE VIEW friction_by_owner AS
SELECT
    if(kinds.owner = '', '(none)', kinds.owner) AS owner,
    kinds.component AS component,
    toString(t.type) AS type,
    toString(t.channel) AS channel,
    count() AS touchpoints,
    uniqExact(t.profile_id) AS profiles,
    sum(kinds.friction) AS friction,
    countIf(kinds.moment = 'ouch') AS ouch_moments,
    friction / sum(friction) OVER () AS share
FROM touchpoints_current AS t
INNER JOIN (SELECT * FROM touchpoint_types WHERE friction > 0) AS kinds ON kinds.name = t.type
WHERE t.tenant = {tenant:String} AND t.occurred_at >= {since:DateTime64(3, 'UTC')} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
GROUP BY owner, component, type, channel
ORDER BY friction DESC, owner, type, channel
COMMENT 'Which team causes what: the friction weights of the catalogue, summed by the team that answers for the touchpoint type, by type and channel. friction is a sum of weights (0.5 a nuisance, 4 a customer who was harmed), not decayed; share is its part of all friction of these touchpoints, 0-1.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT owner, sum(friction) AS friction, sum(ouch_moments) AS ouch FROM friction_by_owner(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) GROUP BY owner ORDER BY friction DESC';
