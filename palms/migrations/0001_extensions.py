from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations


class Migration(migrations.Migration):
    """What exclusion constraints over (id, span) need. A trusted extension: the database's owner may create it."""

    dependencies = []
    operations = [BtreeGistExtension()]
