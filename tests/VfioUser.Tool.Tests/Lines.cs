using System.Collections.Concurrent;
using System.Text;

namespace VfioUser.Tool.Tests;

/// <summary>The tool on a thread of its own, and its lines as they come.</summary>
internal sealed class Lines : StringWriter
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly BlockingCollection<string> _lines = [];
    private readonly StringBuilder _line = new();
    private readonly StringWriter _error = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<int> _run;

    public Lines(params string[] args)
    {
        NewLine = "\n";
        _run = Task.Factory.StartNew(() => VfioUserTool.Run(args, new Terminal(this, _error, Colors: false, _stop.Token)),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public string Error => _error.ToString();

    public override void Write(char value)
    {
        if (value != '\n')
        {
            _line.Append(value);
            return;
        }
        _lines.Add(_line.ToString());
        _line.Clear();
    }

    public override void Write(char[] buffer, int index, int count)
    {
        foreach (char value in buffer.AsSpan(index, count))
            Write(value);
    }

    public override void Write(ReadOnlySpan<char> buffer)
    {
        foreach (char value in buffer)
            Write(value);
    }

    public override void Write(string? value) => Write(value.AsSpan());

    public override void WriteLine(string? value)
    {
        Write(value.AsSpan());
        Write('\n');
    }

    public string Next() => _lines.TryTake(out string? line, Timeout) ? line : throw new TimeoutException("The tool says nothing: " + Error);

    /// <summary>As Ctrl-C.</summary>
    public void Stop() => _stop.Cancel();

    public async Task<int> ExitCode() => await _run.WaitAsync(Timeout);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stop.Dispose();
            _lines.Dispose();
            _error.Dispose();
        }
        base.Dispose(disposing);
    }
}
