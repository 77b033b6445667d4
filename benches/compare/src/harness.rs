//! Rounds in which each system has its turn, so that what else the machine does hits all alike.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::table::Figure;

/// How long one turn of a system is, at least.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    pub rounds: usize,
    pub turn: Duration,
}

/// What some times of an operation took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub wall: Duration,
    /// User and system time of the whole process.
    pub cpu: Duration,
}

/// Does an operation so many times, and says what that took.
type Turn<'a> = Box<dyn FnMut(u64) -> Result<Spent, Failure> + 'a>;

/// One of those that are compared.
pub struct Contender<'a> {
    system: &'a str,
    turn: Turn<'a>,
    most_rounds: usize,
}

impl<'a> Contender<'a> {
    /// One whose operation is a function of this process; its answers have been checked.
    pub fn new(system: &'a str, mut once: impl FnMut() -> Result<(), Failure> + 'a) -> Self {
        Self::counted(system, move |times| {
            timed(|| {
                for _ in 0..times {
                    once()?;
                }
                Ok(())
            })
        })
    }

    /// One that takes its time itself.
    pub fn counted(system: &'a str, turn: impl FnMut(u64) -> Result<Spent, Failure> + 'a) -> Self {
        Self { system, turn: Box::new(turn), most_rounds: usize::MAX }
    }

    /// Leaves it out of further rounds: for one that takes seconds.
    pub fn at_most(self, most_rounds: usize) -> Self {
        Self { most_rounds, ..self }
    }
}

/// The time that `f` takes, by the clock and of the CPU.
pub fn timed(f: impl FnOnce() -> Result<(), Failure>) -> Result<Spent, Failure> {
    let cpu = cpu_time();
    let started = Instant::now();
    f()?;
    Ok(Spent { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) })
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs all rounds. An operation is `items` things of which one is timed.
pub fn compare(
    rounds: Rounds,
    items: u64,
    mut contenders: Vec<Contender<'_>>,
) -> Result<Vec<Figure>, Failure> {
    let mut times = Vec::new();
    for contender in &mut contenders {
        let one = (contender.turn)(1)?.wall.max(Duration::from_nanos(1));
        times.push((rounds.turn.as_nanos() / one.as_nanos()).max(1) as u64);
    }
    let mut samples: Vec<Vec<Spent>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds.rounds {
        // Each is first, second and so on in turn: who comes after a large one finds cold caches.
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let contender = &mut contenders[index];
            if round < contender.most_rounds {
                samples[index].push((contender.turn)(times[index])?);
            }
        }
    }
    let figures = contenders.iter().zip(&samples).zip(&times).map(|((contender, samples), &n)| {
        let each = |of: fn(&Spent) -> Duration| -> Vec<f64> {
            let per_item = (n * items) as f64;
            let mut nanos: Vec<f64> =
                samples.iter().map(|spent| of(spent).as_nanos() as f64 / per_item).collect();
            nanos.sort_by(f64::total_cmp);
            nanos
        };
        let (wall, cpu) = (each(|spent| spent.wall), each(|spent| spent.cpu));
        Figure {
            system: contender.system.to_owned(),
            median: median(&wall),
            least: wall[0],
            most: wall[wall.len() - 1],
            cpu: Some(median(&cpu)),
            rounds: wall.len(),
        }
    });
    Ok(figures.collect())
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
