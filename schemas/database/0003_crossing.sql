-- Up Migration
--
-- The crossing: money and questions from one holder to another, carried from lane to lane. A message between lanes is
-- numbered per pair of lanes from 0 without gaps; the sender's block writes it into the outbox, the receiver's block
-- stores how far it has taken that pair.
--
-- Locks: access exclusive on outbox and block for a moment, and on outbox as long as its key is built anew: some seconds
-- a million rows. Stop the instances before; what waits in the outbox is published afterwards.

set search_path = millrace;

-- What a lane has sent to each other, and to itself: a message to the own lane is taken at the end of its own block.
create table sent (
  lane int not null,
  to_lane int not null,
  next_sequence bigint not null,                    -- of the next message to that lane; they count from 0
  primary key (lane, to_lane)
) with (fillfactor = 50);

-- What a lane has taken from each other: the sequence of the last message. It is also where that lane's relay goes on.
create table seen (
  lane int not null,
  from_lane int not null,
  sequence bigint not null,
  primary key (lane, from_lane)
) with (fillfactor = 50);

grant select on sent, seen to millrace_service, millrace_reader;
grant insert, update on sent, seen to millrace_service;

-- Messages to other lanes are topic 3, numbered per (lane, to_lane); all other messages have to_lane -1. Beside the topic
-- a smallint takes no room in the key: an int would make every entry eight bytes longer.
alter table outbox add column to_lane smallint not null default -1;
alter table outbox drop constraint outbox_pkey;
alter table outbox add primary key (lane, topic, to_lane, sequence, recorded_at);

-- What a block moved of these two, pair by pair, so that a cut can be proven from blocks alone; null when nothing crossed.
alter table block add column sent_to int[];
alter table block add column sent_next bigint[];
alter table block add column seen_from int[];
alter table block add column seen_sequence bigint[];
