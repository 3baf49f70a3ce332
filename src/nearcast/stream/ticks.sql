-- Where the ticks of a paced run go on, in seconds since 1970: now, the newest tick of the last %(catch_up_s)s seconds,
-- and since when something has been pending. A null: there is none.
SELECT
    extract(epoch FROM clock_timestamp())::double precision,
    (
        SELECT extract(epoch FROM max(due_at))::double precision
        FROM nearcast.publications
        WHERE due_at > clock_timestamp() - make_interval(secs => %(catch_up_s)s::double precision)
            AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]))
    ),
    (
        SELECT extract(epoch FROM min(enqueued_at))::double precision
        FROM nearcast.outbox
        WHERE date BETWEEN %(since)s::date AND %(until)s::date
            AND (%(symbols)s::text[] IS NULL OR stock_symbol = ANY (%(symbols)s::text[]))
    );
