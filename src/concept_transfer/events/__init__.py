"""Coded events of patients, read by DuckDB: who is predicted and when, what was recorded before.

An adapter makes three relations in a connection (`database`), as views over its files:

- ``events``: patient BIGINT, time TIMESTAMP (null for what holds at all times), code VARCHAR, value
  DOUBLE, unit VARCHAR, visit VARCHAR; nulls where there is none;
- ``observed``: patient, start TIMESTAMP, stop TIMESTAMP, death TIMESTAMP or null; a row a patient,
  or with index events several that do not overlap;
- ``index_events`` (patient, time) and ``outcomes`` (patient, time), or ``labels`` (patient, time,
  label TINYINT); ``outcome_codes`` (code), maybe empty; ``births`` (patient, time), for the age.

`cohort` makes of these the table ``cohort``, `findings` the tokens of its rows, and `histories`
their events in the order of time. No row of events ever becomes a Python object.
"""
