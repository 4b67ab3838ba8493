using System.Collections.Concurrent;

namespace VfioUser.Tests.Quiesce;

/// <summary>A device that keeps a diary, and answers requests to quiesce as a test says.</summary>
internal sealed class QuiescingDevice : PciDevice
{
    private readonly ConcurrentQueue<string> _diary = new();

    public QuiescingDevice(bool migration = true)
        : base(new PciId(0x1B36, 0x00F4), PciClass.Other)
    {
        RequiresBusMaster = false;
        Register = AddBar(0, BarKind.Memory32, 0x1000).AddRegister(0, new RegisterOptions<uint> { OnWrite = write => Tell($"written {write.New}") });
        ResetControl = Config.AddPciExpress().Offset + 9;
        if (migration)
            EnableMigration();
    }

    public Register<uint> Register { get; }

    /// <summary>Where bit 7 asks for a function-level reset.</summary>
    public int ResetControl { get; }

    /// <summary>Its answer to a request to quiesce.</summary>
    public Func<QuiesceReason, CancellationToken, ValueTask<bool>> Answer { get; set; } = (_, _) => new(true);

    /// <summary>Called with each entry of the diary, on the command thread.</summary>
    public Action<string>? Happened { get; set; }

    /// <summary>What happened, in order.</summary>
    public IEnumerable<string> Diary => _diary;

    public void Forget() => _diary.Clear();

    /// <summary>From now on it answers when the test says so.</summary>
    public LateAnswer AnswerLater()
    {
        LateAnswer answer = new();
        Answer = answer.Ask;
        return answer;
    }

    protected override ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        Tell($"asked {reason}");
        return Answer(reason, cancellation);
    }

    protected override void OnResume(QuiesceReason reason) => Tell($"resumed {reason}");

    protected override void OnAttached() => Tell("attached");

    protected override void OnDetached() => Tell("detached");

    protected override void OnReset(ResetReason reason) => Tell($"reset {reason}");

    protected override void OnDmaMapped(DmaRegion region) => Tell("mapped");

    protected override void OnDmaUnmapping(DmaRegion region) => Tell("unmapping");

    protected override void OnStopped() => Tell("stopped");

    protected override void OnStarted() => Tell("started");

    private void Tell(string what)
    {
        _diary.Enqueue(what);
        Happened?.Invoke(what);
    }
}
