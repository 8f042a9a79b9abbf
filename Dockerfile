# docker build --tag neurorl .
# docker run --rm neurorl
# docker run --rm --volume "$PWD:/home/user/work" --workdir /home/user/work neurorl neurorl train CartPole-v1 --out cart
FROM python:3.13-slim
# the backend native compiles a network when it first meets it
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir /src
RUN useradd --create-home user
USER user
WORKDIR /home/user
CMD ["neurorl", "doctor"]
