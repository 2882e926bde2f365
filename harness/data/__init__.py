"""Where rows come from (`locate`), what they are (`rows`), what they share (`overlap`), how they are drawn (`batching`).

Never imports torch: a plan needs the hashes of data on machines that have none.
"""
