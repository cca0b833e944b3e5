import { statement } from "../statement.ts";

// Purpose: what the server is and how it is set, for `doctor`; asks nothing of our own schema. Locks: none. Rows: one.
export const showServer = statement(
  "show_server",
  `select current_setting('server_version') as version, current_setting('server_version_num')::int as version_number,
     current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
     current_setting('synchronous_commit') as synchronous_commit,
     pg_is_in_recovery() as is_standby, clock_timestamp() as clock_at,
     (select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = 'millrace_service') as may_serve,
     to_regclass('millrace.migration') is not null as has_migrations`,
);

// Purpose: whether commits wait for a standby, and for which. The list of standbys is for superusers and members of
// pg_monitor; others see rows without content. Locks: none. Rows: one.
export const showStandby = statement(
  "show_standby",
  `select current_setting('synchronous_standby_names') as names, current_setting('synchronous_commit') as synchronous_commit,
     (select coalesce(array_agg(application_name || ' ' || sync_state order by application_name), '{}')
      from pg_stat_replication where sync_state is not null) as standbys`,
);

// Purpose: migrations that ran. Rows: one a migration.
export const showMigrations = statement("show_migrations", `select name from migration order by id`);
