using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

/// <summary>A memory file with a name of its own, by which copies of its descriptor are found in this process.</summary>
internal sealed class TestFile : IDisposable
{
    private static int _files;
    private readonly string _name = $"fd-test-{Interlocked.Increment(ref _files)}-";

    public TestFile()
    {
        Handle = FileCalls.CreateMemory(_name, 64);
        RandomAccess.Write(Handle, Encoding.UTF8.GetBytes(_name.PadRight(64)), 0);
    }

    public SafeFileHandle Handle { get; }

    /// <summary>Descriptors of it that are open in this process, without the one that is here.</summary>
    public int OpenCopies => OpenDescriptors() - (Handle.IsClosed ? 0 : 1);

    public bool IsSameAs(SafeFileHandle other)
    {
        byte[] content = new byte[64];
        RandomAccess.Read(other, content, 0);
        return string.Equals(Encoding.UTF8.GetString(content).TrimEnd(), _name, StringComparison.Ordinal);
    }

    public void Dispose() => Handle.Dispose();

    private int OpenDescriptors()
    {
        int count = 0;
        foreach (string path in Directory.EnumerateFiles("/proc/self/fd"))
        {
            try
            {
                if (new FileInfo(path).LinkTarget?.Contains(_name, StringComparison.Ordinal) == true)
                    count++;
            }
            catch (IOException)
            {
                // another test closed it meanwhile
            }
        }
        return count;
    }
}
