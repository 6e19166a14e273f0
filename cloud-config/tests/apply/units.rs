//! What is asked of units.

use crate::host;
use crate::host::Told;

#[test]
fn a_template_is_enabled_once() {
    let host = host();
    let text = "#cloud-config\ncoreos: {units: [{name: a@.service, enable: true, content: \
                \"[Service]\\nExecStart=/a\\n[Install]\\nWantedBy=a.target\\nDefaultInstance=x\\n\"}]}\n";
    host.apply(text, &[]);
    let wants = host.root().join("etc/systemd/system/a.target.wants");
    std::fs::rename(wants.join("a@.service"), wants.join("a@x.service")).unwrap();

    assert_eq!(host.apply(text, &[]).out, "0 changes\n");
}

#[test]
fn a_unit_that_takes_longer_is_not_waited_for_for_ever() {
    let host = host();
    host.put("root/slow/a.service", "");

    let told = host.apply(
        "#cloud-config\ncoreos: {units: [{name: a.service, command: start}]}\n",
        &["--wait", "1"],
    );

    assert_eq!(
        told,
        Told {
            code: Some(0),
            out: "start a.service: pending: it takes longer, and goes on\n1 change\n".to_owned(),
            err: String::new(),
        }
    );
}

#[test]
fn what_fails_holds_up_only_what_needs_it() {
    let host = host();
    host.put("root/broken/a.service", "");
    host.put("root/states/b.service", "ActiveState=failed\nResult=exit-code\n");
    host.put("root/etc/systemd/system/c.service/in-the-way", "");
    std::fs::create_dir(host.root().join("etc/motd")).unwrap();
    let unit =
        |name: &str, more: &str| format!("    - {{name: {name}.service, command: start{more}}}\n");
    let content = ", content: \"[Service]\\nExecStart=/c\\n\"";
    let text = format!(
        "#cloud-config\nruncmd: [exit 3]\ncoreos:\n  units:\n{}{}{}{}",
        unit("a", ""),
        unit("b", ""),
        unit("c", content),
        unit("d", "")
    );

    let told = host.apply(&text, &[]);

    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(
        told.out,
        "write /etc/systemd/system/c.service: failed: is a directory\n\
         reload systemd: done\n\
         start a.service: failed: systemctl ended with exit code 5: Unit a.service not found.\n\
         start b.service: failed: the unit failed (exit-code)\n\
         start c.service: skipped: a file of the unit was not written\n\
         start d.service: done\n\
         run runcmd: failed: it ended with exit code 3, see /var/lib/cloud-config/scripts/runcmd.log\n\
         2 changes\n"
    );

    host.asked();
    host.apply(&text, &[]);
    // What failed is tried again, what was done is not; scripts run once.
    let mut asked = host.asked();
    asked.retain(|line| !line.starts_with("systemctl show"));
    assert_eq!(
        asked,
        [
            "systemctl daemon-reload",
            "systemctl --show-transaction start a.service",
            "systemctl --show-transaction start b.service"
        ]
    );
}
