{# Replaces Brian2's template, and differs in its order: all conditions first, then the list of
   spikes, so that neither waits for the other. #}
{# USES_VARIABLES { N } #}
{% extends 'common_group.cpp' %}
{% block maincode %}
    {% set _eventspace = get_array_name(eventspace_variable) %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}
    const int _N = {{constant_or_scalar('N', variables['N'])}};
    static uint8_t _over[_N];
    #pragma GCC ivdep
    for (int _idx = 0; _idx < _N; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        _over[_idx] = _cond != 0;
    }
    neurorl::list_spikes<_N>(_over, {{_eventspace}});
{% endblock %}
