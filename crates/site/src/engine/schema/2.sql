-- Schema 2. A lease that was taken back ends at a time, unless its holder comes before: until then nodes may still
-- have an answer of before, and jobs may run.
alter table glexec_account add column ends bigint;
-- What becomes of what a banned person has running: goes-on, ends.
alter table glexec_ban add column running text not null default 'goes-on';
