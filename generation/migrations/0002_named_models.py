from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('generation', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='languagemodel',
            name='source',
            field=models.CharField(choices=[('folder', 'Folder on disk'), ('hub', 'Hub id'), ('served', 'Served name'), ('named', 'Bare name')], max_length=8),
        ),
    ]
