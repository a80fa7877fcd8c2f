//! The judge of http_bench in dspy-rs: prints calls a second and peak MiB.
//!
//! usage: http_dspy_rs URL IN_FLIGHT CALLS

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dspy_rs::{ChatAdapter, Example, LM, Predict, Predictor, Signature, configure, example};

#[Signature(cot)]
struct Judge {
    /// Judge which reply the user prefers.
    #[input]
    pub conversation: String,
    #[input]
    pub first: String,
    #[input]
    pub second: String,
    #[output]
    pub preference: String,
}

fn question(number: usize) -> Example {
    example! {
        "conversation": "input" => format!("question {number} ").repeat(30),
        "first": "input" => "brief ".repeat(20),
        "second": "input" => "rambling ".repeat(14)
    }
}

fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib.ok_or_else(|| anyhow::anyhow!("no VmHWM"))?.parse()?;
    Ok(kib / 1024.0)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, in_flight, calls] = arguments.as_slice() else {
        anyhow::bail!("usage: http_dspy_rs URL IN_FLIGHT CALLS");
    };
    let (in_flight, calls): (usize, usize) = (in_flight.parse()?, calls.parse()?);
    let model = LM::builder()
        .model("mock".to_string())
        .base_url(url.clone())
        .api_key("none".to_string())
        .cache(false)
        .build()
        .await?;
    configure(model, ChatAdapter);

    let next = Arc::new(AtomicUsize::new(0));
    let right = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let mut askers = Vec::new();
    for _ in 0..in_flight {
        let (next, right) = (next.clone(), right.clone());
        askers.push(tokio::spawn(async move {
            let judge = Predict::new(Judge::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return anyhow::Ok(());
                }
                let answer = judge.forward(question(number)).await?;
                if answer.get("preference", None) == "First" {
                    right.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    for asker in askers {
        asker.await??;
    }
    let took = begin.elapsed().as_secs_f64();
    let right = right.load(Ordering::Relaxed);
    anyhow::ensure!(right == calls, "{right} of {calls} judgements are right");
    println!("{} {}", calls as f64 / took, peak_mib()?);
    Ok(())
}
