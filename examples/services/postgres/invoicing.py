"""Writes a row to PostgreSQL for each order in the topic FROM. The database is that of libpq's PGHOST and so on."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import orders
import psycopg

database = psycopg.connect()
database.execute("create table if not exists invoices (id text primary key)")
database.commit()


def invoice(order):
    # An order that is read again is in the table already.
    database.execute("insert into invoices (id) values (%s) on conflict do nothing", [order["id"]])


orders.run(invoice, database.commit)
