//! The system calls that an encoder has no business with. They fail with EPERM.
//!
//! A list of what is denied, not of what is allowed: which harmless calls ffmpeg makes changes with its version, its
//! libraries and the C library. The groups are those of systemd's `SystemCallFilter=` (`systemd.exec(5)`).

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Denied with whatever arguments.
const DENIED: &[c_long] = &[
    // Network; io_uring does what no filter sees.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Programs that are in no file, and so beyond Landlock's rules.
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setpriority,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_ioprio_set,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_semop,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Other identities, name spaces and roots.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_personality,
    // Owners, modes, times and attributes of files, which Landlock has no rules for.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_utimensat,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // Mounts.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // The kernel and the machine.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Newer than the names in libc; the numbers are the same on all architectures: `quotactl_fd`, `fchmodat2`, `setxattrat`,
/// `removexattrat`, `open_tree_attr`.
const DENIED_BY_NUMBER: &[c_long] = &[443, 452, 463, 466, 467];

/// Older ways to do the same, on architectures that have them.
#[cfg(target_arch = "x86_64")]
const DENIED_OF_OLD: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_mknod,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_OF_OLD: &[c_long] = &[];

/// Denies them to this process and to what it becomes.
pub(super) fn deny() -> Result<(), Error> {
    let refuse = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    // The C library takes ENOSYS for an old kernel and falls back on `clone`, whose flags a filter can see.
    let newer_clone = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    seccompiler::apply_filter(&compiled(newer_clone, refuse(libc::ENOSYS))?)?;
    seccompiler::apply_filter(&compiled(rules()?, refuse(libc::EPERM))?)
}

fn compiled(rules: BTreeMap<c_long, Vec<SeccompRule>>, action: SeccompAction) -> Result<BpfProgram, Error> {
    let architecture = std::env::consts::ARCH.try_into()?;
    // A call by way of another architecture's numbers kills: the filter knows none of them.
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)?;
    Ok(filter.try_into()?)
}

fn rules() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, Error> {
    // The process id does not change when ffmpeg takes this process over.
    let own = u64::from(std::process::id());
    let when = |argument, operator, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition]).map(|rule| vec![rule])
    };
    let threads = libc::CLONE_THREAD.unsigned_abs().into();
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = [DENIED, DENIED_BY_NUMBER, DENIED_OF_OLD]
        .concat()
        .into_iter()
        .map(|call| (call, Vec::new()))
        .collect();
    rules.extend([
        // Threads, but no processes.
        (libc::SYS_clone, when(0, SeccompCmpOp::MaskedEq(threads), 0)?),
        // Signals to itself only: abort(3) sends one.
        (libc::SYS_kill, when(0, SeccompCmpOp::Ne, own)?),
        (libc::SYS_tgkill, when(0, SeccompCmpOp::Ne, own)?),
        // Its own limits only.
        (libc::SYS_prlimit64, when(0, SeccompCmpOp::Ne, 0)?),
        // It cannot make itself outlive its parent.
        (
            libc::SYS_prctl,
            when(0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG.unsigned_abs().into())?,
        ),
    ]);
    if cfg!(target_arch = "x86_64") {
        deny_x32(&mut rules);
    }
    Ok(rules)
}

/// The x32 ABI passes for `x86_64`, with a bit in each number and some numbers of its own (512 to 547).
fn deny_x32(rules: &mut BTreeMap<c_long, Vec<SeccompRule>>) {
    const X32: c_long = 0x4000_0000;
    let denied: Vec<c_long> = rules.keys().copied().chain(512..=547).collect();
    rules.extend(denied.into_iter().map(|call| (call | X32, Vec::new())));
    rules.insert(libc::SYS_clone3 | X32, Vec::new());
}
