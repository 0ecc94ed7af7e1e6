import { sql, type Kysely } from 'kysely'
import type { Migration } from '@mallee/state-store'

/** Volumes, their attachments and exports, snapshots, and what images and instances say of block devices. */
const statements = [
  sql`create table volume (id text primary key, account_id text not null references account(id), availability_zone text not null,
    storage_id text not null, size_gib bigint not null, type text not null, iops bigint, throughput bigint,
    snapshot_id text, state text not null, state_reason text, state_changed_at bigint not null, auto_enable_io bigint not null default 0,
    created_at bigint not null, request_id text, trace_parent text, observed_state text, observed_size_bytes bigint,
    hydrated_percent bigint, observed_message text)`,
  sql`create index volume_account on volume (account_id, created_at, id)`,
  sql`create index volume_snapshot on volume (snapshot_id)`,
  sql`create index volume_state on volume (state)`,
  sql`create table volume_attachment (id text primary key, account_id text not null, volume_id text not null unique, instance_id text not null,
    device text not null, is_root bigint not null default 0, delete_on_termination bigint not null default 0, state text not null,
    forced bigint not null default 0, attached_at bigint not null, exports bigint not null default 0, message text, unique (instance_id, device))`,
  sql`create table volume_export (id text primary key, attachment_id text not null, volume_id text not null, storage_id text not null,
    node_id text not null, iqn text not null unique, initiator_iqn text not null, chap_user text not null, sealed_secret text not null,
    withdrawn bigint not null default 0, created_at bigint not null, observed_state text, observed_message text, portal text)`,
  sql`create index volume_export_attachment on volume_export (attachment_id)`,
  sql`create index volume_export_volume on volume_export (volume_id)`,
  sql`create table volume_modification (volume_id text primary key, account_id text not null, state text not null, message text,
    started_at bigint not null, ended_at bigint, original_size bigint not null, original_type text not null, original_iops bigint,
    original_throughput bigint, target_size bigint not null, target_type text not null, target_iops bigint, target_throughput bigint)`,
  sql`create table snapshot (id text primary key, account_id text not null references account(id), volume_id text not null,
    storage_id text not null, size_gib bigint not null, description text not null default '', state text not null, state_message text,
    progress bigint not null default 0, taken bigint not null default 0, started_at bigint not null, completed_at bigint,
    source_index text, index_object text, stored_bytes bigint, is_public bigint not null default 0, present bigint not null default 1,
    request_id text, trace_parent text)`,
  sql`create index snapshot_account on snapshot (account_id, started_at, id)`,
  sql`create index snapshot_volume on snapshot (volume_id)`,
  sql`create table snapshot_permission (snapshot_id text not null references snapshot(id), account_id text not null,
    primary key (snapshot_id, account_id))`,
  sql`create index snapshot_permission_account on snapshot_permission (account_id)`,
  sql`create table image_block_device (image_id text not null references image(id), device text not null, ordinal bigint not null,
    virtual_name text, snapshot_id text, size_gib bigint, type text, iops bigint, throughput bigint,
    delete_on_termination bigint not null default 1, primary key (image_id, device))`,
  sql`create index image_block_device_snapshot on image_block_device (snapshot_id)`,
  sql`alter table image add column root_device_type text not null default 'instance-store'`,
  sql`alter table image add column source_instance_id text`,
  sql`alter table image add column create_phase text`,
  sql`create index image_source_instance on image (source_instance_id)`,
  sql`alter table instance add column root_device_type text not null default 'instance-store'`,
  sql`alter table instance add column root_device_name text`,
  sql`alter table instance add column ephemerals text`,
  sql`alter table instance add column stop_forced bigint not null default 0`,
  sql`alter table domain add column volumes text`,
]

export const volumes: Migration = {
  name: '0010-volumes',
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
