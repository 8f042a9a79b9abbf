{# Copies the spikes of the step before into the ring of those that are still under way. #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    neurorl::remember<{{size}}>({{row}}, {{ring}}, {{step}}[0] - 1, {{depth}});
{% endblock %}
