#!/bin/bash
# A training run on several machines under Slurm: `sbatch configs/slurm.sh`. docs/many_hosts.md explains it.
#
# Every task is a worker. Here each node runs one task, which takes all of the node's GPUs. The working directory, the
# text and the model's folder must lie on a file system that all nodes share.

#SBATCH --job-name=elmo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --distribution=block
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
# SIGTERM reaches the workers two minutes before the time is over. They then save the run and end with code 143.
#SBATCH --signal=TERM@120
# After a preemption Slurm puts the job into the queue again. It then goes on from the last checkpoint.
#SBATCH --requeue

# If one worker fails, Slurm ends the others.
srun --kill-on-bad-exit=1 elmo-tf train \
    --strategy=multi_worker \
    --flagfile=configs/original.flags \
    --train_files='corpus/*.txt' --valid_files='held/*.txt' \
    --vocab_file=vocab.txt --model_dir=model
