-- What the columns of views mean. ClickHouse forgets it when a view is replaced: a migration that replaces one of these views
-- says it again. Views with parameters have no columns in ClickHouse's catalogue; their comments say what they return.

ALTER TABLE accounts
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN account_id 'Business account (B2B); empty for none',
    COMMENT COLUMN state_hash 'Equal for equal states: hash over all fields but predictions',
    COMMENT COLUMN as_of 'Event time of the newest touchpoint of any member',
    COMMENT COLUMN members 'Profiles whose latest account this is',
    COMMENT COLUMN member_ids 'The 100 with the newest touchpoints, newest first',
    COMMENT COLUMN stages 'Lifecycle stage to members in it',
    COMMENT COLUMN touchpoints 'Of all members',
    COMMENT COLUMN open_issues 'Cases open with at least one member',
    COMMENT COLUMN oldest_issues 'The 50 open longest',
    COMMENT COLUMN issues_solved 'Cases that were solved for any member',
    COMMENT COLUMN sentiment 'Mean over the members that have one, -1 to 1',
    COMMENT COLUMN friction_mean 'Over the members, as of as_of',
    COMMENT COLUMN friction_max 'Over the members, as of as_of',
    COMMENT COLUMN orders 'Of all members',
    COMMENT COLUMN revenue 'Currency to minor units: orders less refunds',
    COMMENT COLUMN last_at 'Event time of the newest touchpoint of any member',
    COMMENT COLUMN last_channel 'Channel of the newest touchpoint',
    COMMENT COLUMN last_type 'Type of the newest touchpoint',
    COMMENT COLUMN last_profile_id 'The member of the newest touchpoint',
    COMMENT COLUMN last_event_id 'Its event',
    COMMENT COLUMN version 'Of several rows of one key the highest version holds';

ALTER TABLE channel_switch_events
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN from_channel 'The channel before',
    COMMENT COLUMN to_channel 'The channel after',
    COMMENT COLUMN occurred_at 'Event time of the touchpoint on the channel after';

ALTER TABLE channel_switches
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN from_channel 'The channel before',
    COMMENT COLUMN to_channel 'The channel after',
    COMMENT COLUMN switches 'How often anybody went this way',
    COMMENT COLUMN profiles 'How many people did';

ALTER TABLE currency_exponents
    COMMENT COLUMN currency 'Code of ISO 4217',
    COMMENT COLUMN exponent 'Decimal places of its minor unit';

ALTER TABLE dead_letter_kinds
    COMMENT COLUMN reason 'Why it was rejected',
    COMMENT COLUMN component 'The processor that rejected it',
    COMMENT COLUMN component_version 'Version of the processor',
    COMMENT COLUMN topic 'Where the original record is',
    COMMENT COLUMN letters 'How many',
    COMMENT COLUMN records 'How many different records of Kafka',
    COMMENT COLUMN oldest_record 'When the oldest of these records was written',
    COMMENT COLUMN newest_letter 'When the newest of them became a dead letter',
    COMMENT COLUMN newest_error 'What the newest one says',
    COMMENT COLUMN newest_place 'The newest one as topic/partition/offset: touchline dead-letters show takes it';

ALTER TABLE identity_current
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN identifier_type 'cookie, email, customer_id, …',
    COMMENT COLUMN identifier_value 'As it is stored: a pseudonym where the policy says so',
    COMMENT COLUMN profile_id 'The person who owns the identifier now',
    COMMENT COLUMN contested_from 'From this event time on it belongs to contested_profile_id: a shared device',
    COMMENT COLUMN contested_profile_id 'Owner from contested_from on; NULL if that is not set',
    COMMENT COLUMN event_id 'The touchpoint that caused the decision',
    COMMENT COLUMN occurred_at 'Event time',
    COMMENT COLUMN version 'Of several rows of one key the highest version holds';

ALTER TABLE identity_evidence
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN left_type 'Type of the one identifier',
    COMMENT COLUMN left_value 'Value of the one identifier, as it is stored',
    COMMENT COLUMN right_type 'Type of the other identifier',
    COMMENT COLUMN right_value 'Value of the other identifier, as it is stored',
    COMMENT COLUMN kind 'OBSERVED or ASSERTED',
    COMMENT COLUMN occurred_at 'Event time',
    COMMENT COLUMN event_id 'The touchpoint that is the evidence',
    COMMENT COLUMN source 'The publishing system',
    COMMENT COLUMN left_profile_id 'The person who owns the left identifier now',
    COMMENT COLUMN right_profile_id 'The person who owns the right identifier now',
    COMMENT COLUMN outcome 'united: one person owns both; refused: a limit or a correction keeps them apart; contested: one of them is contested since before the link',
    COMMENT COLUMN types_of_both 'Of a refused link: identifier types that both people have';

ALTER TABLE identity_links_current
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN left_type 'Type of the one identifier',
    COMMENT COLUMN left_value 'Value of the one identifier, as it is stored',
    COMMENT COLUMN right_type 'Type of the other identifier',
    COMMENT COLUMN right_value 'Value of the other identifier, as it is stored',
    COMMENT COLUMN occurred_at 'Event time',
    COMMENT COLUMN kind 'OBSERVED or ASSERTED',
    COMMENT COLUMN event_id 'The touchpoint that is the evidence',
    COMMENT COLUMN source 'The publishing system';

ALTER TABLE journey_stages
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN stage 'Lifecycle stage',
    COMMENT COLUMN profiles 'How many people are in this stage',
    COMMENT COLUMN friction 'Their mean friction',
    COMMENT COLUMN sentiment 'Their mean sentiment, -1 to 1',
    COMMENT COLUMN orders 'How many orders they placed';

ALTER TABLE journeys
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN state_hash 'Equal for equal states: hash over all fields but predictions',
    COMMENT COLUMN as_of 'Event time of the newest touchpoint',
    COMMENT COLUMN identifiers 'Type and value of each',
    COMMENT COLUMN account_id 'Business account (B2B); empty for none',
    COMMENT COLUMN touchpoints 'How many were folded in',
    COMMENT COLUMN late 'Touchpoints beyond the horizon: stored, not folded in',
    COMMENT COLUMN first_seen 'Event time of the oldest touchpoint',
    COMMENT COLUMN last_seen 'Event time of the newest touchpoint',
    COMMENT COLUMN stage 'Lifecycle stage',
    COMMENT COLUMN stage_since 'Since when it is in that stage',
    COMMENT COLUMN stages 'Stage to when it was first reached',
    COMMENT COLUMN components 'Component to its last touch',
    COMMENT COLUMN sessions 'How many sessions there were',
    COMMENT COLUMN session_id 'Of the session with the latest activity, if the source gave one',
    COMMENT COLUMN session_started_at 'Start of that session',
    COMMENT COLUMN session_last_at 'Last touchpoint of that session',
    COMMENT COLUMN session_touchpoints 'Touchpoints of that session',
    COMMENT COLUMN channels 'Channel to its touchpoints',
    COMMENT COLUMN channels_inbound 'Channel to the customer''s own touchpoints',
    COMMENT COLUMN channels_good 'Channel to its good outcomes',
    COMMENT COLUMN channels_bad 'Channel to its bad outcomes',
    COMMENT COLUMN channels_last_at 'Channel to its last touchpoint',
    COMMENT COLUMN last_channel 'Channel of the newest touchpoint',
    COMMENT COLUMN preferred_channel 'The inbound one with the best share of good outcomes',
    COMMENT COLUMN channel_switches 'How often the person went to another channel',
    COMMENT COLUMN handoffs 'Digital to human channel within one issue',
    COMMENT COLUMN friction 'Decayed sum of the weights of types, as of as_of',
    COMMENT COLUMN effort '0-100 over 30 days',
    COMMENT COLUMN effort_answered 'Whether effort is the customer''s own answer (CES)',
    COMMENT COLUMN ouch_moments 'Bad moments, by the catalogue',
    COMMENT COLUMN wow_moments 'Good moments, by the catalogue',
    COMMENT COLUMN sentiment 'Decayed mean, -1 to 1',
    COMMENT COLUMN sentiment_trend '1-day less 7-day mean: positive is getting better',
    COMMENT COLUMN nps 'Latest answer, 0-10',
    COMMENT COLUMN csat 'Latest answer, 1-5',
    COMMENT COLUMN ces 'Latest answer, 1-7',
    COMMENT COLUMN open_issues 'Cases that are open',
    COMMENT COLUMN issues_solved 'Cases that were solved',
    COMMENT COLUMN issues_first_contact 'Of those solved, with at most one separate contact',
    COMMENT COLUMN first_contact_resolution '0-1',
    COMMENT COLUMN expectations 'What the person waits for, and until when',
    COMMENT COLUMN carts 'Carts that were filled',
    COMMENT COLUMN carts_met 'Carts that were ordered in time',
    COMMENT COLUMN consent 'Purpose to what was decided last',
    COMMENT COLUMN orders 'Orders that were placed',
    COMMENT COLUMN orders_returned 'Of those returned',
    COMMENT COLUMN orders_cancelled 'Of those cancelled',
    COMMENT COLUMN revenue 'Currency to minor units: orders less refunds',
    COMMENT COLUMN first_campaign 'Campaign of the first touchpoint that had one',
    COMMENT COLUMN last_campaign 'Campaign of the last touchpoint that had one',
    COMMENT COLUMN marketing_touches 'In the last 30 days before as_of',
    COMMENT COLUMN marketing_first_at 'First marketing touchpoint: event time',
    COMMENT COLUMN marketing_first_channel 'First marketing touchpoint: channel',
    COMMENT COLUMN marketing_first_type 'First marketing touchpoint: type',
    COMMENT COLUMN marketing_first_campaign 'First marketing touchpoint: campaign',
    COMMENT COLUMN marketing_last_at 'Last marketing touchpoint: event time',
    COMMENT COLUMN marketing_last_channel 'Last marketing touchpoint: channel',
    COMMENT COLUMN marketing_last_type 'Last marketing touchpoint: type',
    COMMENT COLUMN marketing_last_campaign 'Last marketing touchpoint: campaign',
    COMMENT COLUMN experiments 'Experiment to variant',
    COMMENT COLUMN recent 'The newest touchpoints, newest last',
    COMMENT COLUMN likely_next 'The most probable next inbound touchpoints; a prediction, not part of state_hash',
    COMMENT COLUMN issue_risk 'Probability of an inbound service contact within 7 days after as_of; a prediction',
    COMMENT COLUMN model_version 'Of the model that predicted: form.partition.touchpoints learnt',
    COMMENT COLUMN version 'Of several rows of one key the highest version holds';

ALTER TABLE profile_channel_switches
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN from_channel 'The channel before',
    COMMENT COLUMN to_channel 'The channel after',
    COMMENT COLUMN switches 'How often this person went this way';

ALTER TABLE profiles
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN identifiers 'Type and value of the identifiers that own its touchpoints',
    COMMENT COLUMN touchpoints 'How many',
    COMMENT COLUMN first_seen 'Event time of the oldest touchpoint',
    COMMENT COLUMN last_seen 'Event time of the newest touchpoint',
    COMMENT COLUMN channels 'All channels of these touchpoints, by name';

ALTER TABLE reconciled
    COMMENT COLUMN what 'owners (and copies), or profiles',
    COMMENT COLUMN until 'Everything that was loaded before is reconciled',
    COMMENT COLUMN begun_at 'When the newest run that ended began',
    COMMENT COLUMN seconds_ago 'Seconds from until to now';

ALTER TABLE sessions
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN number 'Of this person, in the order of time, from 1',
    COMMENT COLUMN source 'The system that named the session; empty if none did',
    COMMENT COLUMN session_id 'Its name at this source; empty for none',
    COMMENT COLUMN started_at 'First touchpoint',
    COMMENT COLUMN last_at 'Last touchpoint',
    COMMENT COLUMN touchpoints 'How many',
    COMMENT COLUMN channels 'Channels by name',
    COMMENT COLUMN types 'Types of touchpoints in the order of time';

ALTER TABLE signals_all
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN signal_id 'Names one signal of one profile',
    COMMENT COLUMN subject_id 'Names the subject of the signal: equal in every profile',
    COMMENT COLUMN kind 'Which signal: cart_abandoned, journey_waiting, …',
    COMMENT COLUMN status 'RAISED or RETRACTED',
    COMMENT COLUMN reason 'Why it is retracted: CONTRADICTED, MOVED, ERASED or LET_GO',
    COMMENT COLUMN successor 'If MOVED: the profile that has the subject now; NULL otherwise',
    COMMENT COLUMN occurred_at 'Event time of the touchpoint that decided it',
    COMMENT COLUMN rule 'The rule that raised it',
    COMMENT COLUMN event_ids 'The touchpoints that caused it',
    COMMENT COLUMN details 'What the rule adds',
    COMMENT COLUMN version 'Of several rows of one key the highest version holds';

ALTER TABLE signals_open
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN signal_id 'Names one signal of one profile',
    COMMENT COLUMN subject_id 'Names the subject of the signal: equal in every profile',
    COMMENT COLUMN kind 'Which signal: cart_abandoned, journey_waiting, …',
    COMMENT COLUMN status 'RAISED or RETRACTED',
    COMMENT COLUMN reason 'Why it is retracted: CONTRADICTED, MOVED, ERASED or LET_GO',
    COMMENT COLUMN successor 'If MOVED: the profile that has the subject now; NULL otherwise',
    COMMENT COLUMN occurred_at 'Event time of the touchpoint that decided it',
    COMMENT COLUMN rule 'The rule that raised it',
    COMMENT COLUMN event_ids 'The touchpoints that caused it',
    COMMENT COLUMN details 'What the rule adds',
    COMMENT COLUMN version 'Of several rows of one key the highest version holds';

ALTER TABLE timelines
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN first_seen 'Event time of the oldest touchpoint',
    COMMENT COLUMN last_seen 'Event time of the newest touchpoint',
    COMMENT COLUMN step_at 'All touchpoints in the order of time: event time',
    COMMENT COLUMN step_channel 'The same touchpoints: channel',
    COMMENT COLUMN step_type 'The same touchpoints: type',
    COMMENT COLUMN step_source 'The same touchpoints: source',
    COMMENT COLUMN step_campaign 'The same touchpoints: campaign; empty for none',
    COMMENT COLUMN step_issue_id 'The same touchpoints: the case that each is about; empty for none',
    COMMENT COLUMN session_source 'Sessions in the order of time: source, if it gave a session_id',
    COMMENT COLUMN session_id 'The same sessions: the source''s session id; empty for none',
    COMMENT COLUMN session_started_at 'The same sessions: first touchpoint',
    COMMENT COLUMN session_last_at 'The same sessions: last touchpoint',
    COMMENT COLUMN session_types 'The same sessions: types in the order of time',
    COMMENT COLUMN session_at 'The same sessions: event times of these types';

ALTER TABLE touchpoint_copies
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person who owns it now',
    COMMENT COLUMN source 'The publishing system',
    COMMENT COLUMN event_id 'Unique per real event of its source',
    COMMENT COLUMN occurred_at 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these',
    COMMENT COLUMN received_at 'When it reached Touchline, by Touchline''s clock or the source''s if that is earlier',
    COMMENT COLUMN type 'By the catalogue: product_view, order_placed, …',
    COMMENT COLUMN identifiers 'All usable identifiers that it carried',
    COMMENT COLUMN amount_minor 'Minor units of currency',
    COMMENT COLUMN currency 'Of amount_minor, ISO 4217; empty for none',
    COMMENT COLUMN reason 'Why the other copy counts',
    COMMENT COLUMN counted_received_at 'Of the copy that counts: when it reached Touchline',
    COMMENT COLUMN counted_occurred_at 'Of the copy that counts: event time',
    COMMENT COLUMN counted_type 'Of the copy that counts: type',
    COMMENT COLUMN counted_identifiers 'Of the copy that counts: identifiers',
    COMMENT COLUMN counted_amount_minor 'Of the copy that counts: minor units of its currency',
    COMMENT COLUMN counted_currency 'Of the copy that counts: currency';

ALTER TABLE touchpoint_steps
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN profile_id 'The person',
    COMMENT COLUMN number 'Of this person, in the order of time, from 1',
    COMMENT COLUMN occurred_at 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these',
    COMMENT COLUMN channel 'By the catalogue: web, app, email, phone, …',
    COMMENT COLUMN type 'By the catalogue: product_view, order_placed, …',
    COMMENT COLUMN previous_channel 'Channel of the touchpoint before; empty for none',
    COMMENT COLUMN previous_type 'Type of the touchpoint before; empty for none',
    COMMENT COLUMN seconds_since 'Seconds since the touchpoint before; NULL for none';

ALTER TABLE touchpoint_types
    COMMENT COLUMN name 'As touchpoints carry it',
    COMMENT COLUMN type 'The name that counts: another one if name is an alias',
    COMMENT COLUMN component 'Part of the journey it belongs to',
    COMMENT COLUMN stage 'Lifecycle stage; empty if the type does not change it',
    COMMENT COLUMN stage_rank 'Place of its stage in the lifecycle, from 0; -1 for none',
    COMMENT COLUMN direction 'inbound, outbound or internal',
    COMMENT COLUMN friction 'Weight, 0-10',
    COMMENT COLUMN moment 'ouch, wow or empty',
    COMMENT COLUMN effect 'Its effect on carts, orders and cases; empty for none',
    COMMENT COLUMN owner 'The team that answers for it';

ALTER TABLE touchpoints_current
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN event_id 'Unique per real event of its source',
    COMMENT COLUMN occurred_at 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these',
    COMMENT COLUMN received_at 'When it reached Touchline, by Touchline''s clock or the source''s if that is earlier',
    COMMENT COLUMN source 'The publishing system',
    COMMENT COLUMN channel 'By the catalogue: web, app, email, phone, …',
    COMMENT COLUMN type 'By the catalogue: product_view, order_placed, …',
    COMMENT COLUMN identifier_type 'Of the strongest usable identifier: the one that owns the touchpoint',
    COMMENT COLUMN identifier_value 'As it is stored: a pseudonym where the policy says so',
    COMMENT COLUMN identifiers 'All usable identifiers that it carried',
    COMMENT COLUMN account_id 'Business account (B2B); empty for none',
    COMMENT COLUMN session_id 'The source''s own session; empty for none',
    COMMENT COLUMN issue_id 'The case it is about; empty for none',
    COMMENT COLUMN order_id 'Several touchpoints of one order count once in a journey',
    COMMENT COLUMN campaign 'Empty for none',
    COMMENT COLUMN amount_minor 'Minor units of currency',
    COMMENT COLUMN currency 'Of amount_minor, ISO 4217; empty for none',
    COMMENT COLUMN sentiment '-1 to 1',
    COMMENT COLUMN score_kind 'NPS, CSAT or CES',
    COMMENT COLUMN score_value 'The customer''s answer on the scale of score_kind',
    COMMENT COLUMN consent 'Purpose to what was decided',
    COMMENT COLUMN experiments 'Experiment to variant',
    COMMENT COLUMN link 'OBSERVED or ASSERTED: how its identifiers belong together',
    COMMENT COLUMN attributes 'Whatever else the source said',
    COMMENT COLUMN profile_id 'The person who owns it now';

ALTER TABLE unknown_names
    COMMENT COLUMN tenant 'Whose customers these are',
    COMMENT COLUMN kind 'type, channel or purpose',
    COMMENT COLUMN name 'As the source spells it',
    COMMENT COLUMN source 'The publishing system',
    COMMENT COLUMN touchpoints 'How many have it',
    COMMENT COLUMN first_at 'Event time of the oldest',
    COMMENT COLUMN last_at 'Event time of the newest',
    COMMENT COLUMN nearest 'The name of the catalogue that is spelled most alike',
    COMMENT COLUMN distance 'How many letters differ';
