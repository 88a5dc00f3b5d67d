"""The Slack door: a Bolt app that answers direct messages and mentions in their thread, as the linked user.

``app`` holds the listeners, ``identity`` links a Slack user to ours by verified e-mail, ``render`` turns answer
blocks into Block Kit within Slack's documented limits, ``run`` starts Socket Mode.
"""
