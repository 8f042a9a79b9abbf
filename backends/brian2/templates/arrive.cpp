{# Adds the weights of the spikes that arrive in this step to q. #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    {% if n_delays %}
    for (int d = 0; d < {{n_delays}}; d++) {
        const int delay = {{delays}}[d];
    {% else %}
    {
        const int delay = {{delay}};
    {% endif %}
        {% if depth > 1 %}
        const int32_t *spikes = {{ring}} + neurorl::ring_row({{step}}[0] - delay, {{depth}}) * {{size + 1}};
        {% else %}
        const int32_t *spikes = {{row}};
        {% endif %}
        {% if release %}
        const double *const releases[] = { {{ release | join(', ') }} };
        const double *release = releases[delay - 1];
        {% if n_delays %}
        neurorl::add_sparse_released(spikes, spikes[{{size}}], release, {{w}}, {{start}} + (int64_t)d * {{size + 1}}, {{target}}, {{q}});
        {% elif sparse %}
        neurorl::add_sparse_released(spikes, spikes[{{size}}], release, {{w}}, {{start}}, {{target}}, {{q}});
        {% else %}
        neurorl::add_dense_released<{{n_pre}}, {{n_post}}>(spikes, spikes[{{size}}], release, {{w}}, {{q}});
        {% endif %}
        {% elif n_delays %}
        neurorl::add_sparse(spikes, spikes[{{size}}], {{w}}, {{start}} + (int64_t)d * {{size + 1}}, {{target}}, {{q}});
        {% elif sparse %}
        neurorl::add_sparse(spikes, spikes[{{size}}], {{w}}, {{start}}, {{target}}, {{q}});
        {% else %}
        {% if has_levels %}
        if ({{unit}}[0] != 0.0)
            neurorl::add_dense<{{n_pre}}, {{n_post}}>(
                spikes, spikes[{{size}}], neurorl::Levels{{ '{' }}{{levels}}, {{unit}}[0]}, {{q}});
        else
        {% endif %}
        neurorl::add_dense<{{n_pre}}, {{n_post}}>(spikes, spikes[{{size}}], neurorl::Weights{{ '{' }}{{w}}}, {{q}});
        {% endif %}
        (void)delay;
    }
{% endblock %}
