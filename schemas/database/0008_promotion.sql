-- Up Migration
--
-- Why a version of a flow was put into force: who did it, when, for what reason, and the backtest that it was judged by. The
-- version itself stands in `flow`, as every version that ever ran; one that came with a release alone has no row here.
--
-- Locks: creates only. Duration: milliseconds. Instances need not be stopped for it: none of them reads or writes it.

set search_path = millrace;

create table flow_promotion (
  flow smallint primary key,                        -- the version
  promoted_at timestamptz not null default clock_timestamp(),
  principal text not null,
  reason text not null,
  report_hash text not null,
  report text not null                              -- JSON: src/workload/backtest/report.ts
);

create trigger append_only before update or delete on flow_promotion for each row execute function refuse_change();
create trigger no_truncate before truncate on flow_promotion execute function refuse_change();

grant select on flow_promotion to millrace_service, millrace_reader;
