import { statement } from "../statement.ts";

// Purpose: room for connections, and limits of the server that would cut sessions of ours. Settings that this version does
// not have are null. Locks: none. Rows: one.
export const showLimits = statement(
  "show_limits",
  `select current_setting('max_connections')::int as max_connections,
     current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved,
     (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
     (select setting::int from pg_settings where name = 'idle_session_timeout') as idle_session_ms,
     (select setting::int from pg_settings where name = 'transaction_timeout') as whole_ms,
     current_setting('autovacuum') as autovacuum,
     (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as is_encrypted`,
);

// Purpose: what keeps old row versions from being cleaned away: sessions whose snapshot or whose own writes are older than
// $1 ms, prepared ones that nobody ended, and slots that hold the log back. Others' sessions are seen by superusers and
// members of pg_monitor only. Locks: none. Rows: few.
export const showOldSnapshots = statement(
  "show_old_snapshots",
  `select 'session ' || pid || ' (' || coalesce(nullif(application_name, ''), 'no name') || ', ' || coalesce(state, '?') || ')' as what,
     extract(epoch from clock_timestamp() - xact_start)::float8 as seconds
   from pg_stat_activity
   where datname = current_database() and pid <> pg_backend_pid() and (backend_xmin is not null or backend_xid is not null)
     and xact_start < clock_timestamp() - $1 * interval '1 ms'
   union all
   select 'prepared ' || gid, extract(epoch from clock_timestamp() - prepared)::float8
   from pg_prepared_xacts where prepared < clock_timestamp() - $1 * interval '1 ms'
   order by seconds desc`,
);

// Purpose: bytes of the database, and of write-ahead log that inactive replication slots hold back. Locks: none. Rows: one.
export const showSizes = statement(
  "show_sizes",
  `select pg_database_size(current_database()) as database_bytes,
     coalesce((select array_agg(slot_name::text) from pg_replication_slots where not active), '{}') as idle_slots,
     coalesce((select max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) from pg_replication_slots where not active), 0)::bigint
       as held_bytes`,
);

// Purpose: what the service's role may do to lines and blocks, and whether their triggers watch: adding only is right.
// Locks: none. Index: catalogs. Rows: one, none without the role.
export const showRights = statement(
  "show_rights",
  `select r.rolsuper as is_superuser,
     has_table_privilege(r.oid, 'millrace.line', 'insert') and has_table_privilege(r.oid, 'millrace.block', 'insert') as may_add,
     coalesce((select array_agg(c.relname::text order by c.relname) from pg_class c
       where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and c.relname ~ '^(line|block)(_.*)?$'
         and (has_table_privilege(r.oid, c.oid, 'update') or has_table_privilege(r.oid, c.oid, 'delete')
           or has_table_privilege(r.oid, c.oid, 'truncate'))), '{}') as changeable,
     (select count(*)::int from pg_trigger t
       where t.tgname = 'append_only' and t.tgenabled in ('O', 'A') and t.tgrelid in ('millrace.line'::regclass, 'millrace.block'::regclass))
       as watching
   from pg_roles r where r.rolname = 'millrace_service'`,
);

// Purpose: records put aside within the last hour. Locks: none. Index: none; quarantine is small. Rows: one.
export const showRecentQuarantine = statement(
  "show_recent_quarantine",
  `select count(*)::int as records, coalesce(array_agg(distinct reason), '{}') as reasons
   from quarantine where recorded_at > now() - interval '1 hour'`,
);
