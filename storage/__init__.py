"""What is kept: the files of a server, and the state that commands are applied to. Knows no actor.

Files:

- the directory, with one process and files that belong together: data_dir.py
- raft.db, with term, vote, log and snapshots, and what Raft asks of it: raft_db.py, raft_messages.py
- its parts: journal_state.py, log_table.py, snapshot_table.py, snapshot_store.py
- who this server is and knows; its keys during a rotation: serf_db.py, keyring_file.py
- a file, its records, how long its commits took: sqlite_file.py, checksum.py, commit_times.py
- damage, found before it is believed: wal_check.py, data_check.py
- writing a recovery; a backup: recovery.py, backup_file.py
- what can go wrong, with the way out: errors.py

State machines:

- what one is: state_machine.py
- what is around any, so that each command of a session is applied once: envelope.py, sessions.py, session_snapshot.py
- the key-value store: kv.py, kv_protocol.py, kv_faults.py, kv_snapshot.py
- its keys, what it keeps of one, their past, and their end by time: sorted_map.py, record.py, history.py, leases.py
- the bytes of a snapshot: chunk_stream.py
"""
