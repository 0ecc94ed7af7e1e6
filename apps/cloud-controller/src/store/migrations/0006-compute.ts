import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/**
 * The rest of what EC2 knows of instances and images: attributes, monitoring, screenshots, placement groups, launch
 * templates, and which accounts may launch an image.
 */
const statements = [
  sql`alter table instance add column api_termination_disabled bigint not null default 0`,
  sql`alter table instance add column api_stop_disabled bigint not null default 0`,
  sql`alter table instance add column shutdown_behavior text not null default 'terminate'`,
  sql`alter table instance add column monitoring bigint not null default 0`,
  sql`alter table instance add column screenshot_count bigint not null default 0`,
  sql`alter table instance add column placement_group_id text`,
  sql`alter table instance add column partition_number bigint`,
  sql`alter table instance add column launch_template_id text`,
  sql`alter table instance add column launch_template_version bigint`,
  sql`create index instance_account_launched on instance (account_id, launched_at, id)`,
  sql`create index instance_launched on instance (launched_at, id)`,
  sql`create index instance_placement_group on instance (placement_group_id)`,
  sql`alter table image add column deprecated_at bigint`,
  sql`alter table image add column disabled bigint not null default 0`,
  sql`alter table image add column source_image_id text`,
  sql`alter table image add column layout text`,
  sql`create table image_permission (image_id text not null references image(id), account_id text not null,
    primary key (image_id, account_id))`,
  sql`create index image_permission_account on image_permission (account_id)`,
  sql`create table launch_template (id text primary key, account_id text not null references account(id), name text not null,
    created_at bigint not null, created_by text not null, default_version bigint not null, latest_version bigint not null,
    unique (account_id, name))`,
  sql`create table launch_template_version (template_id text not null references launch_template(id), version bigint not null,
    description text, created_at bigint not null, created_by text not null, data text not null, primary key (template_id, version))`,
  sql`create table placement_group (id text primary key, account_id text not null references account(id), name text not null,
    strategy text not null, partition_count bigint, created_at bigint not null, unique (account_id, name))`,
  sql`create table status_report (id text primary key, account_id text not null, instance_id text not null, at bigint not null,
    status text not null, reasons text not null, description text, start_time bigint, end_time bigint)`,
  sql`create index status_report_instance on status_report (instance_id, at)`,
  sql`create table sample (instance_id text not null, at bigint not null, period_seconds bigint not null, cpu_percent double precision not null,
    disk_read_bytes bigint not null, disk_write_bytes bigint not null, network_in_bytes bigint not null,
    network_out_bytes bigint not null, primary key (instance_id, at))`,
  sql`create table screenshot (instance_id text primary key, count bigint not null, taken_at bigint not null, image text not null)`,
]

export const compute: Migration = {
  name: '0006-compute',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
