{# Makes a draw of every neuron in this step. #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    static neurorl::Draws<{{replicas}}, {{size}}> _draws;
    _draws.write<neurorl::{{function}}>({{step}}[0], {{ahead}}, {{stream}}[0], {{seed}}, {{to}});
{% endblock %}
