-- Up Migration
--
-- Whether a resumption let the lane's output topics begin anew: the audit must then not miss what the topics of before
-- held, and after any other resumption it must. Until now it went by the cause of the halt, which says neither.
--
-- Locks: the table of halts for a moment. Duration: milliseconds, the table has few rows.

alter table millrace.halt add column outputs_anew boolean not null default false;
-- How those of before were resumed is not known: they are taken as they were.
update millrace.halt set outputs_anew = true where cause = 'output_topic_recreated' and resumed_at is not null;
