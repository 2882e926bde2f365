"""Where rows come from (`locate`), what files hold (`read`, and what text is: `text`), what rows
are (`rows`), what they share (`overlap`), how they are drawn (`batching`).

Never imports torch: a plan needs the hashes of data on machines that have none.
"""
