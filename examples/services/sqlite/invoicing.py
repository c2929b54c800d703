"""Writes a row to the SQLite file DATABASE for each order in the topic FROM."""

import os
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import orders

database = sqlite3.connect(os.environ["DATABASE"])
database.execute("create table if not exists invoices (id text primary key)")


def invoice(order):
    # An order that is read again is in the table already.
    database.execute("insert into invoices (id) values (?) on conflict do nothing", [order["id"]])


orders.run(invoice, database.commit)
