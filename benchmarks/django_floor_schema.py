"""The tables of the floor: people who were here before, and a log whose nonce is the guard against replay."""

SCHEMA = """
CREATE TABLE person (key text PRIMARY KEY, name text NOT NULL);
CREATE TABLE launch (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
                     nonce text NOT NULL UNIQUE, person text NOT NULL REFERENCES person, link text NOT NULL);
INSERT INTO person SELECT 'person-' || lpad(n::text, 5, '0'), 'Maria Number ' || n FROM generate_series(0, 99999) n;
"""
