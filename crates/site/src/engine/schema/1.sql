-- Schema 1. Each lease is one row, so that an account has one holder and a holder one account.
create table glexec_account (
    account text primary key,
    lease   text unique,            -- the name that a gridmapdir would have
    holder  text,                   -- the exact distinguished name
    since   bigint,                 -- seconds since 1970 UTC
    used    bigint,
    check ((lease is null) = (holder is null))
);
create table glexec_ban (
    name   text primary key,
    until  bigint,
    reason text,
    by     text not null,
    since  bigint not null
);
create table glexec_state (
    one    boolean primary key default true check (one),
    schema integer not null,
    bans   bigint not null          -- the version of the list
);
insert into glexec_state (schema, bans) values (1, 0);
